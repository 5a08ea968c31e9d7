/**
 * The queue: which executions are due, and who holds them for now. A hint, never the truth: losing all of it loses nothing
 * (the reconcile refills it from the store). Holds ids only.
 */

/** An id that somebody must look at from `dueAt` (ms since 1970). */
export interface QueueItem {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
}

/** An id handed to this process under a lease. */
export interface Claimed {
  readonly id: string;
  readonly slot: number;
  /** Unique per claim. Ack, renew and release act only while it is the one stored. */
  readonly token: string;
  /** When the id was due. */
  readonly dueAt: number;
}

/** What one claim round gave. */
export interface ClaimResult {
  readonly claimed: readonly Claimed[];
  /** When the next id becomes due that is in the queue now and not in flight; undefined when there is none. */
  readonly nextDueAt?: number;
}

/** The queue cannot answer now. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
}

/** One process' connection to the queue. Every method may throw {@link QueueUnavailable}. */
export interface Queue {
  /**
   * Connects. `ring` is called (also spuriously) whenever something may have become due for this process; it must not
   * throw. `held` names an id in flight in this very process that was enqueued meanwhile: its worker should look at its inbox.
   */
  start(ring: (dueAt: number, held?: string) => void): Promise<void>;
  /** Leaves; a second call does nothing. Ids still held go back when their lease is over. */
  stop(): Promise<void>;
  /** Adds ids, or moves them to an earlier due time. An id in flight is marked `again`: whatever ends its claim makes it ready at once. */
  enqueue(items: readonly QueueItem[]): Promise<void>;
  /**
   * Returns expired leases to ready, then hands over up to `max` due ids, each under a fresh token for `leaseMillis`.
   * Claiming an id that this very process still holds gives it a new token (see `adopted` in the worker).
   */
  claim(max: number, leaseMillis: number): Promise<ClaimResult>;
  /**
   * Claims one id for a direct start without a wait in the queue; undefined when another token holds it. Idempotent per id and process.
   */
  claimDirect(item: QueueItem, leaseMillis: number): Promise<Claimed | undefined>;
  /** Prolongs the leases of all ids that this process still works on; answers those it has lost. */
  renew(held: readonly Claimed[], leaseMillis: number): Promise<readonly Claimed[]>;
  /** Ends claims: `dueAt` undefined removes the id (terminal), else parks it until then (or an earlier time already asked for). */
  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void>;
  /** Ends claims and makes the ids ready at once, for anybody. */
  release(held: readonly Claimed[]): Promise<void>;
  /** Adds those of the ids that are neither ready nor in flight; returns how many were missing. */
  reconcile(items: readonly QueueItem[]): Promise<number>;
  /** Ids ready or parked, and in flight, as far as this process can tell cheaply. */
  size(): Promise<{ readonly ready: number; readonly inFlight: number }>;
}
