/**
 * The queue: which executions are due, and who holds them for now. A hint, never the truth: losing all of it loses nothing
 * (the reconcile refills it from the store). Holds ids only.
 */
import type { ShardSet } from '../core/value/slot.ts';
import type { Stamp } from './clock.ts';

/** An id that a worker must look at from `dueAt` (ms since 1970). */
export interface QueueItem {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
}

/** An id that the store calls due. */
export interface StoredItem extends QueueItem {
  /** The {@link Queue.process} that works on it by the store's word, and lives. Absent: no process does. */
  readonly heldBy?: string;
}

/** An id handed to this process under a lease. */
export interface Claimed {
  readonly id: string;
  readonly slot: number;
  /** Unique per claim. Ack, renew and release act only while it is the one stored. */
  readonly token: string;
  /** When the id was due. */
  readonly dueAt: number;
  /** When it was asked for, where that was before the call that handed it over. */
  readonly sent?: Stamp;
}

/** A claim that is handed back. */
export interface Released extends Claimed {
  /** Its turn was used: it goes behind all that is due. Absent: it keeps its place. */
  readonly yields?: true;
}

/** The process that a token is of. */
export function processOf(token: string): string {
  return token.slice(0, token.lastIndexOf('/'));
}

/** What one claim round gave. */
export interface ClaimResult {
  readonly claimed: readonly Claimed[];
  /** When the next id becomes due, or became due, that is in the queue now and not in flight; undefined when there is none. */
  readonly nextDueAt?: number;
  /** Nothing was worth asking for, so that this says nothing about whether the queue answers. */
  readonly unasked?: true;
}

/** The queue cannot answer now. */
export class QueueUnavailable extends Error {
  override readonly name: string = 'QueueUnavailable';
}

/** One part of the queue cannot answer now, and the others have done what was asked. */
export class QueuePartlyUnavailable extends QueueUnavailable {
  /** Ids for which it is to be asked again. */
  readonly ids: ReadonlySet<string>;
  constructor(message: string, ids: ReadonlySet<string>) {
    super(message);
    this.ids = ids;
  }
}

/** What the queue answers to a renewal. A claim in neither list was in flight under its token all the while. */
export interface Renewal {
  /** Claims whose ids another token holds. */
  readonly lost: readonly Claimed[];
  /**
   * Claims that the queue made anew: it knew the id as ready, or not at all. Another process may have claimed the id in
   * between, worked on it and ended its claim.
   */
  readonly revived: readonly Claimed[];
}

/** A renewal that one part of the queue has not answered. */
export class PartlyRenewed extends QueuePartlyUnavailable {
  /** What the other parts answered. */
  readonly renewal: Renewal;
  constructor(message: string, ids: ReadonlySet<string>, renewal: Renewal) {
    super(message, ids);
    this.renewal = renewal;
  }
}

/** What the queue may ask its process of the processes that share the store. */
export interface Processes {
  /** Whether another process that lives is the sole worker, as of the latest look. */
  readonly hasOtherSoleWorker: boolean;
  /** Asks the store now. Throws what the store throws. */
  look(): Promise<void>;
  /** Says whether this process is the sole worker; resolves when the store knows. Throws what the store throws. */
  declare(isSoleWorker: boolean): Promise<void>;
}

/** What the queue tells its process. The methods may be called spuriously, and must not throw. */
export interface QueueListener {
  readonly processes: Processes;
  /**
   * Something may become due for this process at `dueAt`. `held` names an id in flight in this very process that was enqueued
   * meanwhile: its worker should look at its inbox.
   */
  rung(dueAt: number, held?: string): void;
  /**
   * The queue does not know the claim under which this process works on an id by the store's word. Answers whether the process
   * holds it; then it renews it at once. Where it does not, the queue hands the id on.
   */
  unknown(id: string): boolean;
  /** {@link Queue.toRefill} may have something. */
  refill(): void;
  /** What is held is to be renewed now. */
  renew(): void;
  /** {@link Queue.owned} has changed. */
  owned(): void;
}

/** Shards that may lack ids which the store has. */
export interface Refill {
  readonly shards: ShardSet;
  /** Everything due soon has been read from the store and reconciled. */
  done(): Promise<void>;
}

/** Why the queue cannot do its part now. */
export type QueueTrouble = 'redis_unreachable' | 'membership_stale' | 'pod_id_conflict';

/** One process' connection to the queue. Every method may throw {@link QueueUnavailable}. */
export interface Queue {
  /** Names this run of this process. Each of its tokens is this name, a slash and a number; see {@link processOf}. */
  readonly process: string;
  /** Connects. */
  start(listener: QueueListener): Promise<void>;
  /** Claims nothing any more and leaves its shards to others, where there are others; what is held can still be renewed and ended. */
  leave(): Promise<void>;
  /** Nothing is held any more: another process may work at once, where one alone does. Absent: there is nothing to hand over. */
  handOver?(): Promise<void>;
  /** Disconnects; a second call does nothing. Ids still held go back when their lease is over. */
  stop(): Promise<void>;
  /** The shards in which this process claims, and which it keeps in agreement with the store. */
  readonly owned: ShardSet;
  /** Whether a slot is in one of them. */
  owns(slot: number): boolean;
  /** Whether what is put there can be claimed here now: its server answers. Absent: wherever it {@link Queue.owns}. */
  reaches?(slot: number): boolean;
  /** Names the server that keeps a slot, as far as it is known: servers may be away independently of each other. Absent: there is one. */
  serverIdOf?(slot: number): string;
  /** Empty while all is well. */
  readonly trouble: readonly QueueTrouble[];
  /**
   * Since when the longest due id is due that waits in an own shard, as far as is known: undefined where none is known to wait.
   * Cheap. What waits for a server that does not answer is left out.
   */
  readonly oldestDueAt: number | undefined;
  /** Shards to be refilled from the store, if there are any; the same ones again until that is done. */
  toRefill(): Refill | undefined;
  /** Whether {@link Queue.renew} has something to do even when nothing is held. */
  readonly wantsRenewal: boolean;
  /**
   * Adds ids, or moves them to an earlier due time. An id in flight is marked `again`: whatever ends its claim makes it ready at
   * once, due since the mark or earlier.
   */
  enqueue(items: readonly StoredItem[]): Promise<void>;
  /**
   * Returns expired leases to ready, then hands over up to `max` due ids, each under a fresh token for `leaseMillis`.
   * Claiming an id that this very process still holds gives it a new token (see `adopted` in the worker).
   */
  claim(max: number, leaseMillis: number): Promise<ClaimResult>;
  /**
   * Claims one id for a direct start without a wait in the queue; undefined when another token holds it. Idempotent per id and process.
   */
  claimDirect(item: QueueItem, leaseMillis: number): Promise<Claimed | undefined>;
  /**
   * Prolongs the leases of all ids that this process still works on; see {@link Renewal}.
   *
   * @throws PartlyRenewed when some of it was renewed.
   */
  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal>;
  /** Ends claims: `dueAt` undefined removes the id (terminal), else parks it until then (or an earlier time already asked for). */
  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void>;
  /** Ends claims and makes the ids ready at once, for anybody, each in its place unless it yields. */
  release(held: readonly Released[]): Promise<void>;
  /**
   * Adds those of the ids that are neither ready nor in flight, and moves parked ones to an earlier due time; answers those that
   * were absent. One that is due already keeps its place. An absent one that is `heldBy` a process is given to no process for a
   * moment, and that process is asked for it: see {@link QueueListener.unknown}.
   */
  reconcile(items: readonly StoredItem[]): Promise<readonly string[]>;
  /** Ids ready or parked, and in flight, as far as this process can tell cheaply. */
  size(): Promise<{ readonly ready: number; readonly inFlight: number }>;
}
