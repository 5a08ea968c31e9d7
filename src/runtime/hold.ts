/**
 * An execution that this process holds, and for how long it may act on it.
 *
 * The queue's token may change while the process holds on (it claimed the same id again after a lapse); the claim that
 * fences the execution in the store is the first token and stays.
 */
import type { Clock, Stamp } from '../ports/clock.ts';
import type { Claimed } from '../ports/queue.ts';

/** Both clocks now: when a claim or renewal is sent, because the lease counts from there and not from its answer. */
export function stampOf(clock: Clock): Stamp {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/** The share of a lease that is used: clocks of two machines differ a little in speed. */
const usableShare = 0.95;

/** See the file header. */
export class Hold {
  readonly id: string;
  readonly slot: number;
  /** Under which the execution is held in the store. */
  readonly claim: string;
  readonly #clock: Clock;
  readonly #leaseMillis: number;
  #claimed: Claimed;
  #stamp: Stamp;
  #lost = false;

  constructor(claimed: Claimed, sent: Stamp, clock: Clock, leaseMillis: number) {
    this.id = claimed.id;
    this.slot = claimed.slot;
    this.claim = claimed.token;
    this.#claimed = claimed;
    this.#stamp = sent;
    this.#clock = clock;
    this.#leaseMillis = leaseMillis;
  }

  /** What the queue knows it by now. */
  get claimed(): Claimed {
    return this.#claimed;
  }

  /** Whether no new call may be made: the lease may be over, or the queue said that it is. Monotonic or wall time, whichever says more. */
  get isOver(): boolean {
    if (this.#lost) return true;
    const elapsed = Math.max(this.#clock.monotonic() - this.#stamp.monotonic, this.#clock.now() - this.#stamp.wall);
    return elapsed >= this.#leaseMillis * usableShare;
  }

  /** The queue gave this process the same id again. */
  adopt(claimed: Claimed, sent: Stamp): void {
    this.#claimed = claimed;
    this.#stamp = sent;
    this.#lost = false;
  }

  /** A renewal under `token`, sent then, was confirmed. */
  renewed(token: string, sent: Stamp): void {
    if (token === this.#claimed.token && !this.#lost) this.#stamp = sent;
  }

  /** The queue says that `token` holds it no more. */
  lose(token: string): void {
    if (token === this.#claimed.token) this.#lost = true;
  }
}
