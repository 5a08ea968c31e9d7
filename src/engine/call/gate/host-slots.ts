import type { Clock, Timer } from '../../../ports/clock.ts';

/** How long a call waits for a place before its execution is parked. */
const patienceMillis = 1_000;

/** Calls that wait in hand for a place, at all hosts together. */
export class Lobby {
  /** The bound: each of them occupies a place of the process. */
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
 * The places at one host. A call that finds no free place may wait here for a moment, in the order of arrival, while
 * its execution is in hand. A longer wait is not worth a place of the process, so the execution is parked then.
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

  /** Calls under way. */
  get taken(): number {
    return this.#taken;
  }

  /** Calls that wait here. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#taken >= this.limit;
  }

  /** Takes a place, which {@link HostSlots.free} gives back; false when there is none. */
  tryTake(): boolean {
    if (this.isFull) return false;
    this.#taken++;
    return true;
  }

  /** Whether one more call may wait in hand. */
  get hasRoom(): boolean {
    return this.#lobby.size < this.#lobby.max;
  }

  /** Waits for a place; calls `told` once with whether the call has taken one. The result ends the waiting. */
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

  /** Gives a place back, to the longest wait here; returns whether no call waits here. */
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
