/**
 * Rows that a transition appends beside the state. Append-only, numbered by `ord` within the execution; the `undo` column
 * of a step row is the one thing that changes later.
 */
import type { CallPhase, FailureView, Outcome, ResponseView } from './context/context.ts';
import type { Json } from './value/json.ts';
import type { OutputRef } from './state.ts';

/** Phases of step rows. */
export type StepPhase =
  'UP' | 'DOWN' | 'SWITCH' | 'CALLBACK' | 'SLEEP' | 'SPLIT' | 'JOIN' | 'FAIL' | 'HOOK' | 'RESOLVE';

/**
 * The compensation of a visit: `pending` may come, `failed` could not be completed, `reopened` failed and due again by a retry, `resolved` settled by an operator as
 * undone, `accepted` settled as standing, `moved` taken over by the same visit of a later round.
 */
export type UndoState = 'pending' | 'done' | 'failed' | 'reopened' | 'resolved' | 'accepted' | 'moved';

/** Order of compensation: unknown outcomes (1) before completed visits (2) before rejected ones (3). */
export type UndoRank = 1 | 2 | 3;

/** What later templates may need of a visit. A response body is written once: an async node's UP row has `accepted`, its CALLBACK row the rest. */
export interface StepOutput {
  readonly response?: ResponseView;
  readonly accepted?: ResponseView;
  readonly callback?: { readonly body: Json };
  readonly failure?: FailureView;
  /** The answer of a compensation; DOWN rows only. */
  readonly downBody?: Json;
}

/** One row per node visit and phase. */
export interface StepRow {
  readonly ord: number;
  readonly nodeId: string;
  /** Position of the node in the definition; -1 for hooks. */
  readonly index: number;
  readonly phase: StepPhase;
  readonly visit: number;
  readonly round: number;
  readonly attempt: number;
  /** `pending` only in CALLBACK rows of a callback judged pending or ignored. */
  readonly outcome: Outcome | 'pending';
  readonly statusCode?: number;
  /** When the visit (or compensation) began. */
  readonly startedAt: number;
  /** When its last attempt began. */
  readonly attemptAt: number;
  readonly at: number;
  readonly scope: string;
  readonly output?: StepOutput;
  /** A further row of the same node, visit and phase, written for templates only; lists leave it out. */
  readonly repeat?: boolean;
  /** Whether `output` is the visit's last word, which the next visit replaces for templates. */
  readonly final: boolean;
  /** The forward Idempotency-Key. */
  readonly key?: string;
  readonly fingerprint?: string;
  /** What a mutating call left downstream: present on the deciding row of a mutating task's visit that may stand. */
  readonly effect?: 'succeeded' | 'unknown';
  /** Present when the visit has a compensation that `compensateWhen` selects. */
  readonly undo?: UndoState;
  readonly undoRank?: UndoRank;
  /** Sort key within a rank, descending: the start ord of unknown visits, else `ord`. */
  readonly undoSort?: number;
  /** The node completed last before (or by) this visit on its token's path; on rows with `undo`. */
  readonly prev?: OutputRef;
  /** What a switch decided; on its rows alone. */
  readonly choice?: SwitchChoice;
  /** Warnings and reasons for people: a condition that threw, a callback ignored, an operator's reason. */
  readonly note?: string;
  /** Only in rows that a list of the store gives: stands for an `output` that is too large to be listed. The core never writes it. */
  readonly shown?: ShownBody;
}

/** Where a switch led. */
export interface SwitchChoice {
  readonly target: string;
  /** The name of the case, `case <n>` (from 1) where it has none; absent where the default was taken. */
  readonly matchedCase?: string;
}

/**
 * The body of a large output as people see it: masked, and cut where `isCut`. `body` is absent where the output has none; it is the text of
 * a JSON value where `isJson`, else text.
 */
export interface ShownBody {
  readonly body?: string;
  readonly isCut?: boolean;
  readonly isJson?: boolean;
}

/** One row per attempt of a call. */
export interface CallRow {
  readonly ord: number;
  readonly callId: number;
  readonly nodeId: string;
  readonly index: number;
  readonly phase: CallPhase;
  readonly visit: number;
  readonly round: number;
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly statusCode?: number;
  readonly error?: string;
  readonly startedAt: number;
  readonly attemptAt: number;
  readonly at: number;
  readonly idempotencyKey?: string;
  /** What went over the wire, masked and cut; absent when no answer was seen. */
  readonly exchange?: Exchange;
}

/** A call as shown to people: already masked, bodies already cut. The core passes it through. */
export interface Exchange {
  readonly url: string;
  readonly verb: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody?: string;
  readonly requestBodyTruncated?: boolean;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly responseBody?: string;
  readonly responseBodyTruncated?: boolean;
  readonly latencyMillis: number;
}

/** A change of the `undo` column of rows written before. */
export type UndoMark =
  | { readonly kind: 'set'; readonly ord: number; readonly undo: UndoState }
  /** A retry of a CORRUPTED execution: the failed compensations of that round become `reopened`. */
  | { readonly kind: 'reopen'; readonly round: number };
