import type { CallbackEvent, ChildEndedEvent, Event, ResolvedEvent } from '../../core/event.ts';
import type { FamilyPlace } from '../../core/context/family.ts';
import type { CallRow, StepRow, UndoMark } from '../../core/history.ts';
import type { State } from '../../core/state.ts';
import type { AuditEntry } from '../audit.ts';
import type { ExecutionSummary } from '../records.ts';
import type { Revision } from './revision.ts';
import type { TakeOverBounds } from '../store-bounds.ts';

/**
 * A new execution. Inserted at seq 0 and inboxSeq 0; with a claim, that claim is its first. One with a parent has `root` and
 * `depth`, too, and no start key: its id was stored with the visit that starts it.
 */
export interface NewExecution extends FamilyPlace {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  /** JSON text of the definition, kept once per hash, so that the execution is pinned to it. */
  readonly definition: string;
  /** Whether the start named a stored definition: the result is `gone` without a record of that name, version and hash. */
  readonly mustBeStored?: boolean;
  /** JSON text with the digits as received. */
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
  /**
   * The claim under which a worker starts it for its parent: the result is `fenced` if the parent is over, or another claim holds it.
   * So a worker that was fenced starts nothing, and no child begins after its parent has terminated those that it has.
   */
  readonly parentClaim?: string;
  /** Written with the insertion, also if the execution is over at once. */
  readonly tells?: readonly Tell[];
}

/**
 * `existing`: the start key was used before with the same request; `reused`: with another request; `gone`: the definition
 * must be stored but is not, regardless of the start key; `fenced`: see `parentClaim`. Only `created` writes. An id that exists is
 * `created` again.
 */
export type SubmitResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'existing'; readonly id: string }
  | { readonly kind: 'reused' }
  | { readonly kind: 'invalid'; readonly message: string };

/** Events that wait in the inbox. */
export type InboxEvent =
  CallbackEvent | ChildEndedEvent | Extract<Event, { type: 'cancelled' | 'terminated' | 'woken' }> | ResolvedEvent;

/** An unconsumed event from outside. `id` is also its `inboxId`. */
export interface InboxRow {
  readonly id: string;
  readonly at: number;
  readonly event: InboxEvent;
}

/**
 * An event that a write of one execution appends to the inbox of another one, in the same transaction. The store does not ask the
 * core: an execution that is over or does not exist takes nothing. The target is due at `row.at` at the latest. One that the engine
 * has parked as CORRUPTED takes the ends of its children, since a retry goes on where it stood.
 *
 * In a `childEnded` event the store sets `standing` to whether effects of the execution stand that it writes: only step rows say.
 */
export interface Tell {
  readonly executionId: string;
  /** Its id is the same whenever the write is repeated; an id that is in the inbox, or was, is not appended again. */
  readonly row: InboxRow;
}

/** Children that get an event together, in the transaction of their parent's end and in each further one. */
export const maxTerminatedTogether = 100;

/** Children that were told to end. */
export interface TerminatedChildren {
  /** Those that were not over, in the order of their ids, at most {@link maxTerminatedTogether}. */
  readonly told: readonly { readonly id: string; readonly slot: number }[];
  /** Present if there may be more: where the next ones begin. */
  readonly next?: string;
}

/** An execution that a worker has taken over. */
export interface LoadedExecution extends FamilyPlace {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  readonly payload: string;
  /** Size of a payload that was left out because of it. */
  readonly payloadBytes?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceparent?: string;
  readonly createdAt: number;
  readonly seq: number;
  readonly inboxSeq: number;
  /** Consecutive claims without progress, by processes that have ended, plus this one. */
  readonly claims: number;
  readonly dueAt: number;
  readonly state: State;
  /** Unconsumed events, oldest first. */
  readonly inbox: readonly InboxRow[];
}

/** The claim on a non-terminal execution. */
export interface ClaimRow {
  readonly id: string;
  /** Absent when no worker has taken it over since its insertion without a claim, or since a {@link TerminalChange}. */
  readonly claim?: string;
  readonly seq: number;
  readonly inboxSeq: number;
}

/** One durable transition. */
export interface Checkpoint {
  readonly id: string;
  /** The claim under which the execution was taken over or inserted. */
  readonly claim: string;
  /** The expected seq; the write makes it seq + 1. This same checkpoint wrote a row at seq + 1 under the same claim. */
  readonly seq: number;
  /** Expected inboxSeq, if given: when the execution parks, ends, fails, times out or starts to compensate. */
  readonly inboxSeq?: number;
  readonly state: State;
  readonly summary: ExecutionSummary;
  /** When a worker must process it again; null once no work is left; undefined keeps the stored value (still running). */
  readonly dueAt?: number | null;
  /** Resets the count of claims without progress. */
  readonly progress: boolean;
  /** New count of claims without progress; absent: unchanged. Ignored with `progress`. */
  readonly claims?: number;
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Ids of consumed inbox rows. Rows of callbacks keep nonce and body hash to detect duplicates. */
  readonly consumed: readonly string[];
  /** Appended only if the checkpoint is written, by the write that does so. */
  readonly tells?: readonly Tell[];
  /**
   * The end of an execution that terminates its children: the first of those that it started and that are not over get a
   * `terminated` event with this id in the same transaction. {@link ExecutionStore.terminateChildren} tells the others.
   */
  readonly terminatesChildren?: string;
}

/**
 * `fenced`: another claim holds the execution, nothing was written. `inbox`: only the inbox differs, nothing was written.
 * `invalid`: this row alone cannot be stored (data error), nothing was written.
 */
export type CheckpointResult =
  | {
      readonly kind: 'written';
      readonly inboxSeq: number;
      /** With `terminatesChildren`; absent if an earlier attempt has written the checkpoint. */
      readonly children?: TerminatedChildren;
    }
  | { readonly kind: 'inbox'; readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'invalid'; readonly message: string };

/**
 * A change of a terminal execution (retry, resolve, redelivery) by the process that accepts the request. Compare-and-set: the
 * execution must be terminal and at `seq`.
 */
export interface TerminalChange {
  readonly id: string;
  readonly seq: number;
  /** Unique per change; sending the same change again succeeds. */
  readonly writeId: string;
  readonly state: State;
  readonly summary: ExecutionSummary;
  /** Null when no work is due. */
  readonly dueAt: number | null;
  readonly steps: readonly StepRow[];
  readonly calls?: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Appended to the audit log in the same transaction if the change is made. */
  readonly audit?: AuditEntry;
  /** Appended if the change is made. */
  readonly tells?: readonly Tell[];
  /**
   * The root of the execution's family: the change is refused while the root exists and is not over. The same transaction decides, so
   * that a root which begins a new round at the same time either sees the change or prevents it.
   */
  readonly ifRootOver?: string;
}

/** Whether a change of a terminal execution was made; `root_open` only with `ifRootOver`. */
export type TerminalChangeResult = boolean | 'root_open';

/** The result of an offer; see `core/admission.ts`. */
export type OfferResult =
  /** `heldBy`: the process (see `processOf`) whose claim has a call of the execution in progress. `woken`: the waits that a wake ends. */
  | { readonly kind: 'accepted'; readonly heldBy?: string; readonly woken?: number }
  /** The callback was already accepted with the same body; `pending`: that body was judged pending. */
  | { readonly kind: 'duplicate'; readonly pending: boolean }
  | { readonly kind: 'other_body' }
  | { readonly kind: 'earlier_operation' }
  | { readonly kind: 'not_waiting' }
  /** Too many callbacks of this operation were judged pending. */
  | { readonly kind: 'rate_limited' }
  /** The execution has none of the revisions of the offer. */
  | { readonly kind: 'changed' }
  /** Not possible in this state; `message` says why. */
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'unknown' };

/** An event offered to the inbox. */
export interface Offer {
  readonly executionId: string;
  readonly row: InboxRow;
  /** Callbacks: hash of the body's bytes. */
  readonly bodyHash?: string;
  /** The execution must be at one of these revisions; that is judged before anything else. Absent: at any. */
  readonly expected?: readonly Revision[];
  /** Appended to the audit log in the same transaction, if the event is accepted. */
  readonly audit?: AuditEntry;
}

/** The writes that drive executions: submit, take over, checkpoint, offer. Every write may be repeated unchanged. */
export interface ExecutionStore {
  /** Inserts executions in one transaction; results in input order. Repeating a batch is safe: the results are `created` again. */
  submit(batch: readonly NewExecution[]): Promise<readonly SubmitResult[]>;
  /**
   * Takes executions over: increments seq, sets and counts the claim, makes a parked execution runnable (`dueAt` =
   * least(dueAt, now)). Repeating the same claim increments nothing. The result excludes executions that are absent or have no
   * due time. An earlier claim by one of the processes `live` (see `processOf`) does not count against the execution, which
   * cannot have crashed that process.
   */
  takeOver(
    claims: readonly { readonly id: string; readonly claim: string }[],
    now: number,
    live?: readonly string[],
    bounds?: TakeOverBounds,
  ): Promise<readonly LoadedExecution[]>;
  /** Reads the current claims, without executions that are absent or have no due time. Changes nothing. */
  readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]>;
  /** Writes checkpoints in one transaction; results in input order. Repeating a batch is safe. */
  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]>;
  /**
   * Gives the next children of an execution that are not over a `terminated` event with this id, after the child `after`; without it,
   * from the first one. A child that has the event already is not told again.
   */
  terminateChildren(id: string, eventId: string, now: number, after?: string): Promise<TerminatedChildren>;
  /** Changes a terminal execution; false when it is no longer terminal at that seq. */
  changeTerminal(change: TerminalChange): Promise<TerminalChangeResult>;
  /**
   * In one transaction: locks the row, calls `admit` of the core, appends the event, increments inboxSeq, sets `dueAt` =
   * least(dueAt, now).
   */
  offer(offer: Offer, now: number): Promise<OfferResult>;
  /** Reads the unconsumed events, oldest first, with the current inboxSeq. */
  readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }>;
}
