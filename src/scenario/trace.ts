import type { CallPhase, Outcome } from '../core/context/context.ts';
import type { StepPhase, StepRow } from '../core/history.ts';
import type { Json } from '../core/value/json.ts';
import type { TerminalStatus } from '../core/state.ts';

/** A call as it went out; secrets show as `***NAME***`, callback tokens as `***`. */
export interface TracedRequest {
  readonly verb: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Entry {
  /** Virtual milliseconds since the execution began. */
  readonly atMillis: number;
  /** A sentence for people. */
  readonly note?: string;
}

interface NodeEntry extends Entry {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
}

/** One call and its answer; `atMillis` is the instant of the answer. */
export interface CallEntry extends NodeEntry {
  readonly kind: 'call';
  readonly phase: CallPhase;
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly statusCode?: number;
  /** When the call went out, in the same time. */
  readonly sentAtMillis: number;
  readonly idempotencyKey?: string;
  /** Absent when the call could not be rendered. */
  readonly request?: TracedRequest;
  /** Absent when there was no answer. */
  readonly responseBody?: Json;
  /** How long it waits before it is repeated; absent when it is not. */
  readonly retryInMillis?: number;
}

/** A node without a call, a callback, or an operator's word. */
export interface StepEntry extends NodeEntry {
  readonly kind: 'step';
  readonly phase: Exclude<StepPhase, 'UP' | 'DOWN' | 'HOOK'>;
  readonly outcome: StepRow['outcome'];
  /** How long it waits before the request is repeated; absent when it is not. */
  readonly retryInMillis?: number;
}

/** A callback arrived; what came of it is in the entry that follows, unless it was kept or refused. */
export interface CallbackEntry extends NodeEntry {
  readonly kind: 'callback';
  readonly body: Json;
  /** `kept` until its node has parked; `refused` as the API would, which `note` explains. */
  readonly fate: 'accepted' | 'kept' | 'refused';
}

/** Somebody did something. */
export interface ActionEntry extends Entry {
  readonly kind: 'action';
  readonly do: 'cancel' | 'wake' | 'terminate' | 'resolve' | 'retry';
  readonly accepted: boolean;
}

/** The execution, or its round, is over. */
export interface EndEntry extends Entry {
  readonly kind: 'end';
  readonly status: TerminalStatus;
}

/**
 * What a simulation tells: one entry for everything that happened, in the order in which it happened.
 */
export type TraceEntry = CallEntry | StepEntry | CallbackEntry | ActionEntry | EndEntry;
