import type { Clock, Timer } from '../../ports/clock.ts';

/** An object that can be woken. Must not throw. */
export interface Wakeable {
  timeHasCome(): void;
}

/**
 * The timers of the executions in memory, multiplexed over one timer of the clock. There are at most as many as workers,
 * so a linear search finds the next one.
 */
export class DriverTimers {
  readonly #clock: Clock;
  readonly #instants = new Map<Wakeable, number>();
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes `who` once at `at` (ms since 1970), if that is later than `now`. Replaces an earlier instant. */
  set(who: Wakeable, at: number, now: number): void {
    if (at <= now) {
      this.clear(who);
      return;
    }
    this.#instants.set(who, at);
    if (at < this.#timerAt) this.#arm(at);
  }

  /** Drops the instant of `who`. */
  clear(who: Wakeable): void {
    this.#instants.delete(who);
    if (this.#instants.size > 0 || this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    for (const [who, at] of this.#instants) {
      if (at > now) continue;
      this.#instants.delete(who);
      who.timeHasCome();
    }
    let next = Infinity;
    for (const at of this.#instants.values()) next = Math.min(next, at);
    if (next < this.#timerAt) this.#arm(next);
  }
}
