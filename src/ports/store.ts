/**
 * The store: the truth about definitions, executions and their history. Two adapters and one in memory, one contract
 * suite. Every method may throw {@link StoreUnavailable}; then nothing is known to have been written unless the method
 * says otherwise, and the same call may be made again.
 */
import type { PartitionCare, PartitionChanges } from './partitions.ts';
import type { AuditEntry, AuditFilter } from './audit.ts';
import type { BeatAnswer, ProcessInfo, SoleWorkerCandidacy, SoleWorkerListener } from './processes.ts';
import type { CallRow, StepRow, UndoMark } from '../core/history.ts';
import type { CallbackEvent, Event, ResolvedEvent } from '../core/event.ts';
import type { OutputQuery } from '../core/context/outputs.ts';
import type { ShardSet } from '../core/slot.ts';
import type { ExecutionStatus, State, UndoTarget } from '../core/state.ts';
import type { ExecutionPageRequest, ListedExecution } from './listing.ts';
import type {
  DueDetail,
  DueRow,
  ExecutionDetail,
  ExecutionProgress,
  ExecutionSummary,
  Page,
  PageRequest,
  StepPageRequest,
} from './records.ts';
import type { TakeOverBounds } from './store-bounds.ts';

/** The store cannot answer now (away, read-only, full, closing). Nothing is counted against executions. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** `read_only` and `full` need an operator; `unreachable` usually passes. */
  readonly kind: 'unreachable' | 'read_only' | 'full';
  constructor(kind: 'unreachable' | 'read_only' | 'full', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Others hold what the operation needs, for longer than it waits: nothing is wrong, and the same call may succeed later. */
export class StoreContended extends StoreUnavailable {
  constructor(message: string) {
    super('unreachable', message);
  }
}

/** A stored definition. */
export interface DefinitionRecord {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  /** JSON text as submitted. */
  readonly definition: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** How a definition was put. `identical` is an earlier record with the same content; `conflict` one with other content. */
export type PutDefinitionResult =
  | { readonly kind: 'stored' | 'identical'; readonly record: DefinitionRecord }
  | { readonly kind: 'conflict'; readonly by: 'id' | 'name_version' };

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
  /** Absent when nobody has taken it over since it was inserted at rest, or changed after its end. */
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

/** Filter of lists; absent fields do not restrict. Instants are inclusive after, exclusive before. */
export interface ExecutionFilter {
  readonly statuses?: readonly ExecutionStatus[];
  readonly name?: string;
  /** Of which one must fit the name; `*` stands for any characters, also none, and everything else for itself. */
  readonly nameGlobs?: readonly string[];
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly failedNodeId?: string;
  readonly standing?: boolean;
  /** Only terminal ones whose hook is still to be delivered, or was given up. */
  readonly hook?: 'pending' | 'failed';
  readonly startedAfter?: number;
  readonly startedBefore?: number;
  readonly completedAfter?: number;
  readonly completedBefore?: number;
}

/** A cursor that this store did not give out. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

/** A row with a compensation, or an effect that may stand, with its present `undo`. */
export interface EffectRow {
  readonly target: UndoTarget;
  readonly mutating: boolean;
  readonly effect?: 'succeeded' | 'unknown';
  readonly undo?: StepRow['undo'];
  readonly fingerprint?: string;
  readonly undoRank?: number;
  readonly undoSort?: number;
}

/** Which rows {@link Store.findUndo} looks at. */
export interface UndoFilter {
  /** Only rows of this scope or below. */
  readonly scope: string;
  /** What may come, or what a retry of CORRUPTED made due again; `pending` by default. */
  readonly undo?: 'pending' | 'reopened';
  /** Only this visit. */
  readonly only?: { readonly nodeId: string; readonly visit: number };
}

/** Which rows {@link Store.listEffects} looks for, where all would be too many. */
export interface EffectFilter {
  /** The first and the last round. */
  readonly rounds: readonly [number, number];
  /**
   * What has become of the compensation: `pending`, `failed` and `reopened` are unfinished; an effect that was `accepted`, or has
   * `none`, stands.
   */
  readonly undo: readonly ('pending' | 'failed' | 'reopened' | 'accepted' | 'none')[];
  /** Only this node, or only this visit of it. */
  readonly only?: { readonly nodeId: string; readonly visit?: number };
}

/** How many executions stand where. */
export interface ActiveCounts {
  /** Non-terminal and CORRUPTED ones, by status. */
  readonly statuses: Readonly<Partial<Record<ExecutionStatus, number>>>;
  /** Those that can be called back, by the key that signed the token; with tokens of several keys an execution counts for each. */
  readonly callbackKeys: Readonly<Record<string, number>>;
  /** Terminal ones whose hook is still to be delivered. */
  readonly pendingHooks: number;
}

/** See the file header. */
export interface Store {
  /** Opens the store; migrates when asked to. Throws with a sentence for people when it cannot (locked, newer schema). */
  open(): Promise<void>;
  /** Finishes what is under way and closes; a second call does nothing. */
  close(): Promise<void>;
  /** Connections to the server, idle ones among them, and statements that wait for one; absent where there is no server. */
  readonly connectionCounts?: { readonly open: number; readonly idle: number; readonly waiting: number };
  /** One cheap round trip; answers the store's clock in ms since 1970. Rejects with `read_only` where the store takes no writes. */
  ping(): Promise<number>;

  /**
   * Says that a process lives, and answers which others were heard of lately: evidence that does not come from the queue.
   * `isFirst`: it has just started, so that other runs under its `podId` have ended and are forgotten.
   */
  beat(process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer>;
  /** The process has ended in order: nothing is left in its hands. A second call does nothing. */
  endProcess(id: string): Promise<void>;

  /**
   * Stores a definition; see {@link PutDefinitionResult}. `id` decides identity for PUT. `audit` is appended in the same
   * transaction when it is `stored`.
   */
  putDefinition(record: DefinitionRecord, audit?: AuditEntry): Promise<PutDefinitionResult>;
  /** The record by id, or by name and version (`latest`: most recently created). */
  getDefinition(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): Promise<DefinitionRecord | undefined>;
  /** Newest first. `nameGlobs` as in {@link ExecutionFilter}. */
  listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>>;
  /**
   * Removes the record; executions keep their pinned definition. Absent is fine. `audit` is appended in the same
   * transaction when there was one.
   */
  deleteDefinition(id: string, audit?: AuditEntry): Promise<void>;
  /** Definition text by content hash, as pinned by executions; undefined when no execution or record has it. */
  getDefinitionBody(hash: string): Promise<string | undefined>;

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

  /**
   * Rows with outputs or keys of the asked visits of a round (all phases but DOWN of other visits), in the order of their ords.
   *
   * @throws OutputsTooLarge (`store-bounds.ts`) when the rows together take more than `maxBytes` as JSON; the store sees that before it reads them.
   */
  readOutputs(
    id: string,
    round: number,
    queries: readonly OutputQuery[],
    maxBytes?: number,
  ): Promise<readonly StepRow[]>;
  /** The next row to compensate: of that round, within the filter, lowest rank, highest sort. */
  findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined>;
  /**
   * All rows of the execution with an effect or a compensation, all rounds, in the order of their ords; bounded by `limit`. With
   * a filter: those that fit, of each round and kind the first `limit` in the order of compensation, and as many in all.
   */
  listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]>;
  /** The latest standing effect of this node and visit in rounds before `round`. */
  findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined>;

  getExecution(id: string): Promise<ExecutionDetail | undefined>;
  /** The same without the payload: for whatever looks again and again, or only wants to know whether it is there. */
  getProgress(id: string): Promise<ExecutionProgress | undefined>;
  /**
   * Newest first by id. Throws {@link BadCursor}. A store may end a page, also without a row, where it has looked at enough rows that do not
   * fit.
   */
  listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>>;
  /**
   * By ord. Throws {@link BadCursor}. `afterOrd` as the alternative to a cursor. A row with a large output has `shown` in its
   * place (see `ShowStep`), so that a list never reads the whole.
   */
  listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>>;
  /** By ord. Throws {@link BadCursor}. */
  listCalls(id: string, page: PageRequest): Promise<Page<CallRow>>;

  /**
   * Executions of the shards whose dueAt is at or before `until`, by dueAt then id, after `cursor`, whose id may be empty: from that
   * instant on. Terminal ones are among them while their hook is still to be delivered.
   */
  findDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueRow[]>;
  /** The same rows as {@link Store.findDue}, with more of each; reads the rows themselves. */
  listDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueDetail[]>;
  /** Counts the executions of the shards that are not over, and CORRUPTED ones. */
  countActive(shards: ShardSet): Promise<ActiveCounts>;

  /** Appends to the audit log; an entry whose id is there already is left as it is. */
  appendAudit(entry: AuditEntry): Promise<void>;
  /** Newest first by id. Throws {@link BadCursor}. */
  listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>>;

  /** A small durable setting (callback keys, queue identity), or undefined. */
  getSetting(key: string): Promise<string | undefined>;
  /** Sets it if absent and returns the value in force. */
  initSetting(key: string, value: string): Promise<string>;
  /** Sets it if it is `from` now; answers whether it is `to` afterwards. */
  changeSetting(key: string, from: string, to: string): Promise<boolean>;

  /**
   * A candidacy for being the one process that works on the store; nothing is asked yet. The store lets go of a holder that it
   * has not heard of for `silenceMillis` or somewhat longer, never sooner.
   */
  soleWorker(listener: SoleWorkerListener, silenceMillis: number): SoleWorkerCandidacy;
  /**
   * Tells the process that works of executions that are due at their time. It may be lost, and nobody may hear it: whoever
   * begins to work looks at the store itself. Throws {@link StoreUnavailable}.
   */
  ringSoleWorker(items: readonly DueRow[]): Promise<void>;

  /** Deletes terminal executions completed before the instant, except CORRUPTED ones, unresolved unknown effects and hooks still to be delivered; at most `limit`. Returns how many. */
  deleteCompleted(before: number, limit: number): Promise<number>;
  /** Makes partitions ahead of time and drops those that hold nothing worth keeping; does nothing where there are none. */
  tendPartitions(care: PartitionCare): Promise<PartitionChanges>;
}

/** Trouble of an adapter that no caller is waiting to hear about; for the log. */
export interface StoreFault {
  /** `warn` for what passes by itself; default `error`. */
  readonly level?: 'warn' | 'error';
  /** One sentence. */
  readonly message: string;
  readonly error?: Error;
}
