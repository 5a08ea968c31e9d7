import type { CallbackEvent, Event, ResolvedEvent } from '../../core/event.ts';
import type { CallRow, StepRow, UndoMark } from '../../core/history.ts';
import type { State } from '../../core/state.ts';
import type { AuditEntry } from '../audit.ts';
import type { ExecutionSummary } from '../records.ts';
import type { TakeOverBounds } from '../store-bounds.ts';

/** A new execution. Inserted at seq 0 and inboxSeq 0; with a claim, that claim is its first. */
export interface NewExecution {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  /** JSON text of the definition, kept once per hash, so that the execution is pinned to it. */
  readonly definition: string;
  /** Whether the start named a stored definition: without a record of that name, version and hash it is `gone`. */
  readonly mustBeStored?: boolean;
  /** JSON text with the digits as they came. */
  readonly payload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The caller's W3C traceparent, if any. */
  readonly traceparent?: string;
  readonly createdAt: number;
  readonly state: State;
  readonly summary: ExecutionSummary;
  readonly steps: readonly StepRow[];
  readonly dueAt: number;
  /** A direct start: the claim under which the accepting worker already runs it. */
  readonly claim?: string;
  /** Idempotent start: `key` is unique per caller; `fingerprint` is the hash of the canonical request. */
  readonly startKey?: { readonly caller: string; readonly key: string; readonly fingerprint: string };
}

/**
 * `existing`: the start key was used before with the same request; `reused`: with another request; `gone`: the definition
 * that had to be stored is not, whatever the start key says. Only `created` has written anything.
 */
export type SubmitResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'existing'; readonly id: string }
  | { readonly kind: 'reused' }
  | { readonly kind: 'invalid'; readonly message: string };

/** Events that wait in the inbox. */
export type InboxEvent = CallbackEvent | Extract<Event, { type: 'cancelled' | 'terminated' | 'woken' }> | ResolvedEvent;

/** An unconsumed event from outside. `id` is also its `inboxId`. */
export interface InboxRow {
  readonly id: string;
  readonly at: number;
  readonly event: InboxEvent;
}

/** An execution as a worker takes it over. */
export interface LoadedExecution {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  readonly payload: string;
  /** Present where the payload was left out for its size. */
  readonly payloadBytes?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceparent?: string;
  readonly createdAt: number;
  readonly seq: number;
  readonly inboxSeq: number;
  /** Claims in a row of processes that have ended, and this one, without a checkpoint that made progress. */
  readonly claims: number;
  readonly dueAt: number;
  readonly state: State;
  /** Unconsumed events, oldest first. */
  readonly inbox: readonly InboxRow[];
}

/** Under which claim an execution that is not over stands. */
export interface ClaimRow {
  readonly id: string;
  /** Absent when no worker has taken it over since it was inserted at rest, or changed after its end. */
  readonly claim?: string;
  readonly seq: number;
  readonly inboxSeq: number;
}

/** One durable transition. */
export interface Checkpoint {
  readonly id: string;
  /** The claim under which the execution is held, as it was taken over or inserted. */
  readonly claim: string;
  /** The seq this builds on; becomes seq + 1. A row at seq + 1 under the same claim was written by this very checkpoint. */
  readonly seq: number;
  /** Compared too when given: parks, ends, fails, times out, starts compensating. */
  readonly inboxSeq?: number;
  readonly state: State;
  readonly summary: ExecutionSummary;
  /** When a worker must look again; null once nothing is left to do; undefined leaves it as it is (still running). */
  readonly dueAt?: number | null;
  /** Whether the claims without progress begin anew. */
  readonly progress: boolean;
  /** Claims without progress that are counted from now on; absent: as many as before. Means nothing where there is progress. */
  readonly claims?: number;
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Inbox rows used up; callbacks keep nonce and body hash for duplicate answers. */
  readonly consumed: readonly string[];
}

/**
 * `fenced`: another claim holds the execution, nothing was written. `inbox`: only the inbox differs, nothing was written.
 * `invalid`: this row alone cannot be stored (data error), nothing was written.
 */
export type CheckpointResult =
  | { readonly kind: 'written'; readonly inboxSeq: number }
  | { readonly kind: 'inbox'; readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'invalid'; readonly message: string };

/** A change of a terminal execution (retry, resolve, redelivery), made by the process that accepts it: compare-and-set on `seq` and on being terminal. */
export interface TerminalChange {
  readonly id: string;
  readonly seq: number;
  /** Unique per change; the same change sent again is `written`. */
  readonly writeId: string;
  readonly state: State;
  readonly summary: ExecutionSummary;
  /** Null when nothing is left to do at once. */
  readonly dueAt: number | null;
  readonly steps: readonly StepRow[];
  readonly calls?: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Appended to the audit log in the same transaction, if the change is made. */
  readonly audit?: AuditEntry;
}

/** What `offer` made of an event; see `core/admission.ts`. */
export type OfferResult =
  /** `heldBy`: the process (see `processOf`) under whose claim a call of the execution is under way. */
  | { readonly kind: 'accepted'; readonly heldBy?: string }
  /** A callback already accepted with the same body; `pending`: that body was judged pending. */
  | { readonly kind: 'duplicate'; readonly pending: boolean }
  | { readonly kind: 'other_body' }
  | { readonly kind: 'earlier_operation' }
  | { readonly kind: 'not_waiting' }
  /** Too many callbacks of this operation were judged pending. */
  | { readonly kind: 'rate_limited' }
  /** Not possible in this state; `message` says why. */
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'unknown' };

/** An event offered to the inbox. */
export interface Offer {
  readonly executionId: string;
  readonly row: InboxRow;
  /** Callbacks: hash of the body's bytes. */
  readonly bodyHash?: string;
  /** Appended to the audit log in the same transaction, if the event is accepted. */
  readonly audit?: AuditEntry;
}

/** The writes that drive executions: submit, take over, checkpoint, offer. Every write may be sent again unchanged. */
export interface ExecutionStore {
  /** Inserts executions in one transaction; results in the order of the input. Sending the same batch again is safe: `created`. */
  submit(batch: readonly NewExecution[]): Promise<readonly SubmitResult[]>;
  /**
   * Takes executions over: bumps seq, sets the claim, counts it, makes a parked one runnable (`dueAt` = least(dueAt, now)).
   * The same claim again bumps nothing. Those that are absent or have no due time are left out of the result. A claim of one of the
   * processes `live` (see `processOf`) is not counted against the execution: its process did not end by it.
   */
  takeOver(
    claims: readonly { readonly id: string; readonly claim: string }[],
    now: number,
    live?: readonly string[],
    bounds?: TakeOverBounds,
  ): Promise<readonly LoadedExecution[]>;
  /** Claims of the executions as they stand at the time of the call; without those absent or without a due time. Changes nothing. */
  readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]>;
  /** Writes checkpoints in one transaction; results in the order of the input. Sending the same again is safe. */
  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]>;
  /** Changes a terminal execution; false when it is not terminal at that seq any more. */
  changeTerminal(change: TerminalChange): Promise<boolean>;
  /** In one transaction: locks the row, asks `admit` of the core, appends the event, bumps inboxSeq, sets dueAt = least(dueAt, now). */
  offer(offer: Offer, now: number): Promise<OfferResult>;
  /** Unconsumed events, oldest first, with the present inboxSeq. */
  readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }>;
}
