/**
 * How many calls to one host are under way. Whoever finds no free place waits here for a moment, in the order of arrival;
 * then the execution is better parked than kept in hand.
 */
import type { Clock, Timer } from '../../ports/clock.ts';

/** How long a call waits for a place before its execution is parked. */
const patienceMillis = 1_000;
/** Calls that wait for one host; more are turned away at once. */
const maxWaiting = 1_000;

interface Waiter {
  readonly told: (hasPlace: boolean) => void;
  readonly timer: Timer;
}

/** See the file header. */
export class HostSlots {
  readonly limit: number;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a place, to be given back by {@link HostSlots.free}; false when there is none. */
  tryTake(): boolean {
    if (this.#taken >= this.limit) return false;
    this.#taken++;
    return true;
  }

  /** Whether one more may wait. */
  get hasRoom(): boolean {
    return this.#waiting.size < maxWaiting;
  }

  /** Waits for a place; `told` learns once whether it has been taken. The result ends the waiting. */
  wait(told: (hasPlace: boolean) => void): () => void {
    const waiter: Waiter = {
      told,
      timer: this.#clock.after(patienceMillis, () => {
        this.#waiting.delete(waiter);
        told(false);
      }),
    };
    this.#waiting.add(waiter);
    return () => {
      this.#waiting.delete(waiter);
      waiter.timer.cancel();
    };
  }

  /** Gives a place back, to the one who has waited longest; answers whether nobody wanted it. */
  free(): boolean {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken--;
      return true;
    }
    this.#waiting.delete(next);
    next.timer.cancel();
    next.told(true);
    return false;
  }
}
