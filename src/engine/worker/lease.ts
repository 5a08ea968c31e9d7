import type { Clock, Stamp } from '../../ports/clock.ts';
import type { Claimed } from '../../ports/queue.ts';

/** Reads both clocks. Call it when a claim or renewal is sent, because the lease counts from then, not from the answer. */
export function stampOf(clock: Clock): Stamp {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/** The usable share of a lease, because the clocks of two machines differ slightly in speed. */
const usableShare = 0.95;

/**
 * Whether calls may leave.
 * - `sure`: the lease has been valid without a gap since the claim, or since the store last confirmed the execution.
 * - `doubtful`: the lease is valid now, but it was over at some instant, or the queue created the claim again. Another
 *   process may have worked on the execution in between, so calls wait until the store confirms it
 *   ({@link Lease.confirm}).
 * - `over`: the lease is over, or another token holds the id.
 */
export type Standing = 'sure' | 'doubtful' | 'over';

/**
 * A claim of an execution under a lease.
 *
 * Guarantees: the lease counts from the sending of its claim or renewal, by the monotonic or the wall clock, whichever
 * shows more elapsed time (the monotonic clock stops while a machine sleeps). **A lapse is final until the store
 * answers**: the queue is a hint and grants a renewal or a second claim to the process that comes first, so neither makes
 * a lease sure again. Only an answer of the store does, and only to a query sent after the latest revival.
 *
 * The queue's token changes if the process claims the same id again while it keeps the lease. The claim that fences the
 * execution in the store is the first token and does not change.
 */
export class Lease {
  readonly id: string;
  readonly slot: number;
  /** The claim of the execution in the store. */
  readonly claim: string;
  readonly #clock: Clock;
  readonly #leaseMillis: number;
  #claimed: Claimed;
  #stamp: Stamp;
  #lost = false;
  /** Whether the present lapse has been counted. */
  #isLapsed = false;
  /** Number of lapses and revivals so far. */
  #doubts = 0;
  /** The doubt that the store has settled. */
  #settled = 0;

  constructor(claimed: Claimed, sent: Stamp, clock: Clock, leaseMillis: number) {
    this.id = claimed.id;
    this.slot = claimed.slot;
    this.claim = claimed.token;
    this.#claimed = claimed;
    this.#stamp = sent;
    this.#clock = clock;
    this.#leaseMillis = leaseMillis;
  }

  /** The claim that the queue knows now. */
  get claimed(): Claimed {
    return this.#claimed;
  }

  /** Reads the clocks. The lease remembers every lapse that was observed, however short. */
  get standing(): Standing {
    if (this.#look() || this.#lost) return 'over';
    return this.#doubts > this.#settled ? 'doubtful' : 'sure';
  }

  /** Whether the lease is over now, or another token holds the id. */
  get isOver(): boolean {
    return this.standing === 'over';
  }

  /** The number of the present doubt, for {@link Lease.confirm}. Each lapse and each revival begins a new one. */
  get doubt(): number {
    return this.#doubts;
  }

  /** Replaces the queue's claim after the queue, which had lost it, gave this process the same id again. */
  adopt(claimed: Claimed, sent: Stamp): void {
    this.#claimed = claimed;
    this.#lost = false;
    this.#revive(sent);
  }

  /** Notes that a renewal under `token`, sent at `sent`, succeeded. */
  renewed(token: string, sent: Stamp): void {
    if (token !== this.#claimed.token || this.#lost) return;
    this.#look();
    this.#stamp = sent;
    this.#isLapsed = false;
  }

  /** Notes that the queue created the claim again under `token`, by a renewal sent at `sent`. */
  revived(token: string, sent: Stamp): void {
    if (token === this.#claimed.token && !this.#lost) this.#revive(sent);
  }

  /** Notes that, according to the queue, another token holds the id instead of `token`. */
  lose(token: string): void {
    if (token === this.#claimed.token) this.#lost = true;
  }

  /**
   * Notes that, according to the store, this claim holds the execution. `doubt` is the value of {@link Lease.doubt} when
   * the query was sent: the call does nothing if the lease has lapsed or was revived since.
   */
  confirm(doubt: number): void {
    if (this.standing === 'over' || doubt !== this.#doubts) return;
    this.#settled = doubt;
    // After a wall clock has jumped forward and back, a lapse has no renewal after it; the next lapse must count again.
    this.#isLapsed = false;
  }

  #revive(sent: Stamp): void {
    this.#doubts++;
    this.#stamp = sent;
    this.#isLapsed = false;
  }

  /** Whether the time of the lease is over. Counts the lapse. */
  #look(): boolean {
    const elapsed = Math.max(this.#clock.monotonic() - this.#stamp.monotonic, this.#clock.now() - this.#stamp.wall);
    const isOver = elapsed >= this.#leaseMillis * usableShare;
    if (isOver && !this.#isLapsed) {
      this.#isLapsed = true;
      this.#doubts++;
    }
    return isOver;
  }
}
