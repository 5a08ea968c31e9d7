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
  /** Virtual milliseconds since the root began. */
  readonly atMillis: number;
  /** The name of the workflow node whose execution it is about, such as `ship`; absent for the root. */
  readonly run?: string;
  /** A sentence for people. */
  readonly note?: string;
}

interface NodeEntry extends Entry {
  readonly nodeId: string;
  /** The places of the items of loops that it belongs to, outermost first; absent outside of all loops. */
  readonly item?: readonly number[];
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
  /** The delay before it is repeated; absent when it is not. */
  readonly retryInMillis?: number;
}

/** A node without a call, a callback, or a decision of an operator. */
export interface StepEntry extends NodeEntry {
  readonly kind: 'step';
  readonly phase: Exclude<StepPhase, 'UP' | 'DOWN' | 'HOOK'>;
  readonly outcome: StepRow['outcome'];
  /** The delay before the request is repeated; absent when it is not. */
  readonly retryInMillis?: number;
}

/** A callback arrived; the next entry shows its outcome, unless it was kept or refused. */
export interface CallbackEntry extends NodeEntry {
  readonly kind: 'callback';
  readonly body: Json;
  /** `kept` until its node has parked; `refused` as the API would, which `note` explains. */
  readonly fate: 'accepted' | 'kept' | 'refused';
}

/** An action of a person. */
export interface ActionEntry extends Entry {
  readonly kind: 'action';
  readonly do: 'cancel' | 'wake' | 'terminate' | 'resolve' | 'retry' | 'undo';
  readonly accepted: boolean;
}

/** The execution, or its round, is over. */
export interface EndEntry extends Entry {
  readonly kind: 'end';
  readonly status: TerminalStatus;
}

/** An entry of a simulation's trace; entries are in the order in which things happened. */
export type TraceEntry = CallEntry | StepEntry | CallbackEntry | ActionEntry | EndEntry;
