/** An execution that this process holds, and whether it may act on it. */
import type { Clock, Stamp } from '../../ports/clock.ts';
import type { Claimed } from '../../ports/queue.ts';

/** Both clocks now: when a claim or renewal is sent, because the lease counts from there and not from its answer. */
export function stampOf(clock: Clock): Stamp {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/** The share of a lease that is used: clocks of two machines differ a little in speed. */
const usableShare = 0.95;

/**
 * Whether calls may leave.
 * - `sure`: the lease has been valid without a gap since the claim, or since the store last confirmed the execution.
 * - `doubtful`: the lease is valid now, but it was over at some instant, or the queue made it anew. Another process may have
 *   worked on the execution in between, so calls wait for the store's word ({@link Lease.confirm}).
 * - `over`: the lease is over, or another token holds the id.
 */
export type Standing = 'sure' | 'doubtful' | 'over';

/**
 * A claim under its lease.
 *
 * Guarantees: the lease counts from when its claim or renewal was sent, by the monotonic or the wall clock, whichever says
 * more (the monotonic clock stands still while a machine sleeps). **A lapse is final until the store has spoken**: the queue
 * is a hint and gives a renewal or a second claim to the process that asks first, so neither makes a lease sure again. Only an
 * answer of the store does that, and only one that was asked for after the latest revival.
 *
 * The queue's token may change while the process holds on (it claimed the same id again); the claim that fences the execution
 * in the store is the first token and stays.
 */
export class Lease {
  readonly id: string;
  readonly slot: number;
  /** Under which the execution is held in the store. */
  readonly claim: string;
  readonly #clock: Clock;
  readonly #leaseMillis: number;
  #claimed: Claimed;
  #stamp: Stamp;
  #lost = false;
  /** Whether the lapse of the present lease has been counted. */
  #isLapsed = false;
  /** Lapses and revivals so far. */
  #doubts = 0;
  /** How many of them the store has settled. */
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

  /** The claim as the queue knows it by now. */
  get claimed(): Claimed {
    return this.#claimed;
  }

  /** Looks at the clocks: a lapse that is seen once is remembered, however short it was. */
  get standing(): Standing {
    if (this.#look() || this.#lost) return 'over';
    return this.#doubts > this.#settled ? 'doubtful' : 'sure';
  }

  /** Whether the lease is over now, or another token holds the id. */
  get isOver(): boolean {
    return this.standing === 'over';
  }

  /** Names the present doubt, for {@link Lease.confirm}. Each lapse and each revival is another one. */
  get doubt(): number {
    return this.#doubts;
  }

  /** The queue gave this process the same id again: it did not know the claim any more. */
  adopt(claimed: Claimed, sent: Stamp): void {
    this.#claimed = claimed;
    this.#lost = false;
    this.#revive(sent);
  }

  /** A renewal under `token`, sent then, was confirmed. */
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
   * The store, asked while `doubt` was the present one, says that the execution stands under this claim. Does nothing where
   * the lease has lapsed or was revived since.
   */
  confirm(doubt: number): void {
    if (this.standing === 'over' || doubt !== this.#doubts) return;
    this.#settled = doubt;
    // A wall clock that jumped there and back shows a lapse without a renewal after it: the next lapse is another one.
    this.#isLapsed = false;
  }

  #revive(sent: Stamp): void {
    this.#doubts++;
    this.#stamp = sent;
    this.#isLapsed = false;
  }

  /** Whether the time of the lease is over; counts the lapse. */
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
