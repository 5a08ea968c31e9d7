import type { AnswerView, CallPhase, ChildView, FailureView, Outcome, ResponseView } from './context/context.ts';
import type { Json } from './value/json.ts';
import type { Blocked, ItemEnd, OutputRef } from './state.ts';

/** Phases of step rows. */
export const stepPhases = [
  'UP',
  'DOWN',
  'SWITCH',
  'CALLBACK',
  'SLEEP',
  'SPLIT',
  'JOIN',
  'FAIL',
  'SET',
  'FOREACH',
  'WORKFLOW',
  'HOOK',
  'RESOLVE',
] as const;

/** The phase of a step row. */
export type StepPhase = (typeof stepPhases)[number];

/**
 * The state of a visit's compensation: `pending` may become due, `done` completed, `failed` could not be completed,
 * `reopened` failed and made due again by a retry, `resolved` settled by an operator as undone, `accepted` settled by
 * an operator as standing, `moved` taken over by the visit of a later round that reused its idempotency key.
 */
export type UndoState = 'pending' | 'done' | 'failed' | 'reopened' | 'resolved' | 'accepted' | 'moved';

/** Order of compensation: unknown outcomes (1) before completed visits (2) before rejected ones (3). */
export type UndoRank = 1 | 2 | 3;

/**
 * The output of a visit, for later templates. A response body is stored once: the UP row of an async node has
 * `accepted`, its CALLBACK row the rest.
 */
export interface StepOutput {
  readonly response?: AnswerView;
  readonly accepted?: ResponseView;
  readonly callback?: { readonly body: Json };
  readonly failure?: FailureView;
  /** The execution that a `workflow` visit started. */
  readonly child?: ChildView;
  /** The response body of a compensation; DOWN rows only. */
  readonly downBody?: Json;
  /** The node is missing from here on, although earlier rows have it: its branch lost. Rows that lists omit. */
  readonly isHidden?: true;
  /** The number of items of a loop, in the row of its begin; for people. */
  readonly count?: number;
  /** Items of a loop, in their order: rows of loops that lists omit. */
  readonly items?: readonly Json[];
  /** Items of a loop that have ended, in the order of their ends: rows of loops that lists omit. */
  readonly ends?: readonly ItemEnd[];
}

/**
 * A row of the execution's history, one per node visit and phase. A transition appends it with the state, numbered by
 * `ord` within the execution. Rows never change, except for their `undo` column.
 */
export interface StepRow {
  readonly ord: number;
  readonly nodeId: string;
  /** Position of the node in the definition; -1 for hooks. */
  readonly index: number;
  readonly phase: StepPhase;
  readonly visit: number;
  readonly round: number;
  readonly attempt: number;
  /** `pending` only in CALLBACK rows, for callbacks that were pending or ignored. */
  readonly outcome: Outcome | 'pending';
  readonly statusCode?: number;
  /** When the visit (or compensation) began. */
  readonly startedAt: number;
  /** When its last attempt began. */
  readonly attemptAt: number;
  readonly at: number;
  /** When the visit of an earlier round began whose key this one sent; see `TaskRun.begunAt`. */
  readonly begunAt?: number;
  readonly scope: string;
  readonly output?: StepOutput;
  /** Marks an additional row of the same node, visit and phase that exists only for templates; lists omit it. */
  readonly repeat?: boolean;
  /** Whether `output` is the final output of the visit, which the next visit replaces for templates. */
  readonly final: boolean;
  /** The idempotency key of the forward call. */
  readonly key?: string;
  readonly fingerprint?: string;
  /** The effect of a mutating call that may remain downstream; only on the final row of the visit. */
  readonly effect?: 'succeeded' | 'unknown';
  /** Present if the visit has a compensation that `compensateWhen` selects. */
  readonly undo?: UndoState;
  readonly undoRank?: UndoRank;
  /** Sort key within a rank, descending: the start ord of unknown visits, else `ord`. */
  readonly undoSort?: number;
  /** The last completed node on the token's path before, or by, this visit; on rows with `undo`. */
  readonly prev?: OutputRef;
  /** Id of the execution that the visit started; only on rows of `workflow` nodes. */
  readonly child?: string;
  /** The choice of a switch; only on its rows. */
  readonly choice?: SwitchChoice;
  /**
   * Warnings and reasons for people: a condition that failed to evaluate, an ignored callback, the reason of an
   * operator.
   */
  readonly note?: string;
  /**
   * Nothing finds the row's output by the id of its node, only by the row's ord (`prev`, a result): see `Plan.sought`. Stores
   * leave such rows out of the index of outputs, and do not read this field back.
   */
  readonly refOnly?: true;
  /** The attempt whose answer this row records. Stores write it with the row, and read it in lists of calls only. */
  readonly call?: EndingCall;
  /** Replaces an `output` that is too large for lists. Only stores set it, never the core. */
  readonly shown?: ShownBody;
}

/** The choice of a switch. */
export interface SwitchChoice {
  readonly target: string;
  /** The name of the case, or `case <n>` (from 1) if it has none; absent if the default was taken. */
  readonly matchedCase?: string;
}

/**
 * The body of a large output for display: masked, and truncated if `isCut`. `body` is absent if the output has none.
 * With `isJson` it is the text of a JSON value, otherwise plain text.
 */
export interface ShownBody {
  readonly body?: string;
  readonly isCut?: boolean;
  readonly isJson?: boolean;
}

/**
 * What a step row does not say of the attempt that it records; see `callOf`. Its ord is the one before the row's, and its
 * idempotency key is the row's `key` unless it is given here.
 */
export type EndingCall = Pick<CallRow, 'callId' | 'error' | 'idempotencyKey' | 'exchange' | 'item' | 'waited'>;

/** A block of a call that is over. */
export type Waited = Omit<Blocked, 'detail' | 'probe'>;

/** One attempt of a call. A row of its own if no step row records the attempt: it is repeated, or its answer came too late. */
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
  /** The places of the items of loops that it belongs to, outermost first; absent outside of all loops. */
  readonly item?: readonly number[];
  /** The block that ended with this attempt: the latest cause, and since when the call had been blocked. */
  readonly waited?: Waited;
  /** The exchange as sent and received, masked and truncated; absent if no answer was seen. */
  readonly exchange?: Exchange;
}

/** A call for display, already masked and truncated. The core passes it through unchanged. */
export interface Exchange {
  readonly url: string;
  readonly verb: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody?: string;
  readonly requestBodyTruncated?: boolean;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly responseBody?: string;
  readonly responseBodyTruncated?: boolean;
  /**
   * The answer that the core received, if it is shown as it is: nothing in it is masked or cut. It replaces
   * `responseHeaders` and `responseBody`, which stores restore from it (see `shownExchange`).
   */
  readonly answer?: ResponseView;
  readonly latencyMillis: number;
}

/** A change of the `undo` column of earlier rows. */
export type UndoMark =
  | { readonly kind: 'set'; readonly ord: number; readonly undo: UndoState }
  /** After a retry of a CORRUPTED execution: all failed compensations of that round become `reopened`. */
  | { readonly kind: 'reopen'; readonly round: number };
