import type { ShardSet } from '../core/value/slot.ts';
import type { Stamp } from './clock.ts';

/** An id that a worker must look at from `dueAt` (ms since 1970). */
export interface QueueItem {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
}

/** An id that is due according to the store. */
export interface StoredItem extends QueueItem {
  /** The live {@link Queue.process} that holds the claim in the store. Absent: no live process holds it. */
  readonly heldBy?: string;
}

/** An id handed to this process under a lease. */
export interface Claimed {
  readonly id: string;
  readonly slot: number;
  /** Unique per claim. Ack, renew and release act only while the queue stores this token. */
  readonly token: string;
  /** When the id was due. */
  readonly dueAt: number;
  /** When the claim was requested, if an earlier call requested it than the one that returned it. */
  readonly sent?: Stamp;
}

/** A claim to release. */
export interface Released extends Claimed {
  /** The id used its turn and goes behind all due ids. Absent: it keeps its place. */
  readonly yields?: true;
}

/** The process that issued a token. */
export function processOf(token: string): string {
  return token.slice(0, token.lastIndexOf('/'));
}

/** The result of one claim round. */
export interface ClaimResult {
  readonly claimed: readonly Claimed[];
  /** The earliest due time (also a past one) among ids in the queue that are not in flight; undefined when there are none. */
  readonly nextDueAt?: number;
  /** The round sent no request, so it is no evidence that the queue is reachable. */
  readonly unasked?: true;
}

/** The queue is temporarily unavailable. */
export class QueueUnavailable extends Error {
  override readonly name: string = 'QueueUnavailable';
}

/** One part of the queue is unavailable; the other parts completed the operation. */
export class QueuePartlyUnavailable extends QueueUnavailable {
  /** Ids for which the caller must repeat the operation. */
  readonly ids: ReadonlySet<string>;
  constructor(message: string, ids: ReadonlySet<string>) {
    super(message);
    this.ids = ids;
  }
}

/** The result of a renewal. A claim in neither list has stayed in flight under its token. */
export interface Renewal {
  /** Claims whose ids another token holds. */
  readonly lost: readonly Claimed[];
  /**
   * Claims that the queue recreated because it had the id as ready or not at all. Another process may have claimed the id,
   * worked on it and ended its claim in the meantime.
   */
  readonly revived: readonly Claimed[];
}

/** A renewal that one part of the queue did not answer. */
export class PartlyRenewed extends QueuePartlyUnavailable {
  /** The result from the other parts. */
  readonly renewal: Renewal;
  constructor(message: string, ids: ReadonlySet<string>, renewal: Renewal) {
    super(message, ids);
    this.renewal = renewal;
  }
}

/** The queue's view of the processes that share the store. */
export interface Processes {
  /** Whether another live process is the sole worker, as of the latest {@link Processes.look}. */
  readonly hasOtherSoleWorker: boolean;
  /** Reads the processes from the store. Throws what the store throws. */
  look(): Promise<void>;
  /** Records in the store whether this process is the sole worker. Throws what the store throws. */
  declare(isSoleWorker: boolean): Promise<void>;
}

/** Notifications from the queue to its process. Calls may be spurious. The methods must not throw. */
export interface QueueListener {
  readonly processes: Processes;
  /**
   * Something may become due for this process at `dueAt`. `held` is an id that was enqueued while in flight in this process:
   * its worker should read its inbox.
   */
  rung(dueAt: number, held?: string): void;
  /**
   * The store has a claim of this process on the id, but the queue does not. Returns whether the process holds the id. If it
   * does, it renews the claim at once; if not, the queue gives the id to another process.
   */
  unknown(id: string): boolean;
  /** {@link Queue.toRefill} may return shards. */
  refill(): void;
  /** The process must renew all its claims now. */
  renew(): void;
  /** {@link Queue.owned} has changed. */
  owned(): void;
}

/** Shards that may lack ids that the store has. */
export interface Refill {
  readonly shards: ShardSet;
  /** Reports that all ids due soon were read from the store and reconciled. */
  done(): Promise<void>;
}

/** Why the queue does not work properly. */
export type QueueTrouble = 'redis_unreachable' | 'membership_stale' | 'pod_id_conflict';

/**
 * One process's connection to the queue, which holds the ids of due executions and the leases on them. The queue is a hint,
 * never the truth: if it loses everything, reconciliation refills it from the store. Every method may throw
 * {@link QueueUnavailable}.
 */
export interface Queue {
  /** Identifies this run of this process. Its tokens are this id, a slash and a number; see {@link processOf}. */
  readonly process: string;
  /** Connects. */
  start(listener: QueueListener): Promise<void>;
  /** Stops claiming and gives up the shards, if other processes exist. Claims already held can still be renewed and ended. */
  leave(): Promise<void>;
  /** Called once nothing is held, where a sole worker exists, so that another process can take over at once. Absent: not needed. */
  handOver?(): Promise<void>;
  /** Disconnects; a second call does nothing. Ids still held become ready when their leases expire. */
  stop(): Promise<void>;
  /** The shards from which this process claims and which it reconciles with the store. */
  readonly owned: ShardSet;
  /** Whether a slot is in an owned shard. */
  owns(slot: number): boolean;
  /** Whether this process can claim from the slot now, which needs its server to respond. Absent: same as {@link Queue.owns}. */
  reaches?(slot: number): boolean;
  /** The server that keeps a slot, if known; servers can fail independently. Absent: there is one server. */
  serverIdOf?(slot: number): string;
  /** Current problems; empty when the queue works. */
  readonly trouble: readonly QueueTrouble[];
  /**
   * The earliest due time among ids known to wait in owned shards; undefined when none is known. Cheap. Excludes ids on servers
   * that do not respond.
   */
  readonly oldestDueAt: number | undefined;
  /** Shards to refill from the store, if any. Returns the same ones until {@link Refill.done}. */
  toRefill(): Refill | undefined;
  /** Whether {@link Queue.renew} has work to do even when nothing is held. */
  readonly wantsRenewal: boolean;
  /**
   * Adds ids, or moves them to an earlier due time. Marks an id in flight `again`: the end of its claim, however it ends, makes
   * it ready at once, due since the mark or earlier.
   */
  enqueue(items: readonly StoredItem[]): Promise<void>;
  /**
   * Makes ids with expired leases ready, then returns up to `max` due ids, each under a new token for `leaseMillis`. May return
   * an id that this process still holds, under a new token (see `adopted` in the worker).
   */
  claim(max: number, leaseMillis: number): Promise<ClaimResult>;
  /**
   * Claims these distinct ids for a direct start, without waiting in the queue; undefined for an id that another token holds,
   * or whose part of the queue cannot be asked. Idempotent per id and process.
   *
   * @throws QueueUnavailable when no part of the queue answered.
   */
  claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]>;
  /**
   * Extends the leases of all ids that this process works on; see {@link Renewal}.
   *
   * @throws PartlyRenewed when only some claims were renewed.
   */
  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal>;
  /** Ends claims. Removes the id (terminal) when `parkUntil` is absent, otherwise parks it until then or an earlier requested time. */
  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void>;
  /** Ends claims and makes the ids ready at once for any process. An id keeps its place unless it yields. */
  release(held: readonly Released[]): Promise<void>;
  /**
   * Adds the ids that are neither ready nor in flight, moves parked ids to an earlier due time, and returns the ids that were
   * absent. Ids already due keep their place. An absent id that is `heldBy` a process cannot be claimed for a moment, while the
   * queue asks that process about it; see {@link QueueListener.unknown}.
   */
  reconcile(items: readonly StoredItem[]): Promise<readonly string[]>;
  /** Numbers of ids ready or parked, and in flight, as far as this process can count them cheaply. */
  size(): Promise<{ readonly ready: number; readonly inFlight: number }>;
}
