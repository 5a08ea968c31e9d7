import type { Clock, Stamp } from '../../ports/clock.ts';
import type { Claimed } from '../../ports/queue.ts';

/** Reads both clocks when a claim or renewal is sent, because the lease counts from there and not from the answer. */
export function stampOf(clock: Clock): Stamp {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/** The share of a lease that is used, since the clocks of two machines differ a little in speed. */
const usableShare = 0.95;

/**
 * Whether calls may leave.
 * - `sure`: the lease has been valid without a gap since the claim, or since the store last confirmed the execution.
 * - `doubtful`: the lease is valid now, but it was over at some instant, or the queue made it anew. Another process may
 *   have worked on the execution in between, so calls wait until the store confirms it ({@link Lease.confirm}).
 * - `over`: the lease is over, or another token holds the id.
 */
export type Standing = 'sure' | 'doubtful' | 'over';

/**
 * A claim of an execution under a lease.
 *
 * Guarantees: the lease counts from when its claim or renewal was sent, by the monotonic or the wall clock, whichever
 * shows more time (the monotonic clock stops while a machine sleeps). **A lapse is final until the store answers**: the
 * queue is a hint and gives a renewal or a second claim to the process that asks first, so neither makes a lease sure
 * again. Only an answer of the store does that, and only one that was asked for after the latest revival.
 *
 * The queue's token may change while the process keeps the lease (it claimed the same id again); the claim that fences
 * the execution in the store is the first token and stays.
 */
export class Lease {
  readonly id: string;
  readonly slot: number;
  /** The claim that the store has for the execution. */
  readonly claim: string;
  readonly #clock: Clock;
  readonly #leaseMillis: number;
  #claimed: Claimed;
  #stamp: Stamp;
  #lost = false;
  /** Whether the present lapse has been counted. */
  #isLapsed = false;
  /** Lapses and revivals so far. */
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

  /** The claim as the queue knows it now. */
  get claimed(): Claimed {
    return this.#claimed;
  }

  /** Looks at the clocks. A lapse that was seen once is remembered, however short it was. */
  get standing(): Standing {
    if (this.#look() || this.#lost) return 'over';
    return this.#doubts > this.#settled ? 'doubtful' : 'sure';
  }

  /** Whether the lease is over now, or another token holds the id. */
  get isOver(): boolean {
    return this.standing === 'over';
  }

  /** The present doubt, for {@link Lease.confirm}. Each lapse and each revival makes a new one. */
  get doubt(): number {
    return this.#doubts;
  }

  /** The queue gave this process the same id again, since it no longer knew the claim. */
  adopt(claimed: Claimed, sent: Stamp): void {
    this.#claimed = claimed;
    this.#lost = false;
    this.#revive(sent);
  }

  /** A renewal under `token` that was sent then succeeded. */
  renewed(token: string, sent: Stamp): void {
    if (token !== this.#claimed.token || this.#lost) return;
    this.#look();
    this.#stamp = sent;
    this.#isLapsed = false;
  }

  /** The queue made the claim anew under `token`, by a renewal sent then. */
  revived(token: string, sent: Stamp): void {
    if (token === this.#claimed.token && !this.#lost) this.#revive(sent);
  }

  /** The queue says that another token holds what `token` held. */
  lose(token: string): void {
    if (token === this.#claimed.token) this.#lost = true;
  }

  /**
   * The store, asked while `doubt` was the present one, says that this claim holds the execution. Does nothing if the
   * lease has lapsed or was revived since.
   */
  confirm(doubt: number): void {
    if (this.standing === 'over' || doubt !== this.#doubts) return;
    this.#settled = doubt;
    // A wall clock that jumped forward and back shows a lapse without a renewal after it, so the next lapse is another
    // one.
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
