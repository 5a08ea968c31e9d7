import type { Clock, Timer } from '../../../ports/clock.ts';

/** How long a call waits for a place before its execution is parked, in ms. */
const patienceMillis = 1_000;

/** The number of calls that wait in memory for a place, over all hosts. */
export class Lobby {
  /** The bound. Each waiting call occupies a worker of the process. */
  readonly max: number;
  size = 0;

  constructor(max: number) {
    this.max = max;
  }
}

interface Waiter {
  readonly told: (hasPlace: boolean) => void;
  readonly timer: Timer;
}

/**
 * The places at one host. A call that finds no free place may wait here briefly, in the order of arrival, while the
 * process holds its execution. A longer wait would occupy a worker for too long, so the execution is parked.
 */
export class HostSlots {
  readonly limit: number;
  readonly #clock: Clock;
  readonly #lobby: Lobby;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  constructor(clock: Clock, limit: number, lobby: Lobby) {
    this.#clock = clock;
    this.limit = limit;
    this.#lobby = lobby;
  }

  /** Number of calls under way. */
  get taken(): number {
    return this.#taken;
  }

  /** Number of calls that wait here. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#taken >= this.limit;
  }

  /** Takes a place, which {@link HostSlots.free} returns; false if there is none. */
  tryTake(): boolean {
    if (this.isFull) return false;
    this.#taken++;
    return true;
  }

  /** Whether one more call may wait here. */
  get hasRoom(): boolean {
    return this.#lobby.size < this.#lobby.max;
  }

  /** Waits for a place; calls `told` once with whether the call has taken one. The returned function ends the wait. */
  wait(told: (hasPlace: boolean) => void): () => void {
    const waiter: Waiter = {
      told,
      timer: this.#clock.after(patienceMillis, () => {
        if (this.#leave(waiter)) told(false);
      }),
    };
    this.#waiting.add(waiter);
    this.#lobby.size++;
    return () => {
      if (this.#leave(waiter)) waiter.timer.cancel();
    };
  }

  /** Passes a place to the call that has waited longest here, or frees it; returns whether no call waits here. */
  free(): boolean {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken--;
      return true;
    }
    this.#leave(next);
    next.timer.cancel();
    next.told(true);
    return false;
  }

  #leave(waiter: Waiter): boolean {
    if (!this.#waiting.delete(waiter)) return false;
    this.#lobby.size--;
    return true;
  }
}
