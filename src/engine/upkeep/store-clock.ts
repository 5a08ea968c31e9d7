import type { Clock, Timer } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

const lookMillis = 10_000;

/** Smaller differences are ignored, in ms: they are noise, and every correction makes the clock jump. */
const toleranceMillis = 50;

/**
 * The clock of a process that shares its store with others: the machine's clock, corrected by its difference from the
 * store's clock. So all processes agree about due times and ids, even if the clocks of their machines differ.
 *
 * A difference within the round-trip time counts as none. While the store is unavailable, the last correction applies.
 * What wakes it: an interval of {@link lookMillis}. What stops it: `stop`.
 */
export class StoreClock implements Clock {
  readonly #system: Clock;
  readonly #telemetry: Telemetry;
  #offset = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(system: Clock, telemetry: Telemetry) {
    this.#system = system;
    this.#telemetry = telemetry;
  }

  now(): number {
    return this.#system.now() + this.#offset;
  }

  monotonic(): number {
    return this.#system.monotonic();
  }

  after(millis: number, fire: () => void): Timer {
    return this.#system.after(millis, fire);
  }

  /** Starts following the store's clock; resolves after the first reading. */
  async follow(store: Pick<Store, 'ping'>): Promise<void> {
    try {
      await this.#look(store);
    } catch (error) {
      // Other users of the store report an outage.
      if (this.#telemetry.logs('debug')) this.#telemetry.log('debug', 'clock not compared', { error: String(error) });
    }
    if (this.#stopped) return;
    this.#timer = this.#system.after(lookMillis, () => void this.follow(store));
  }

  /** Stops the comparisons. A second call does nothing. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #look(store: Pick<Store, 'ping'>): Promise<void> {
    const sent = this.#system.monotonic();
    const theirs = await store.ping();
    const journey = this.#system.monotonic() - sent;
    const offset = Math.round(theirs + journey / 2 - this.#system.now());
    if (Math.abs(offset - this.#offset) <= toleranceMillis + journey / 2) return;
    const level = Math.abs(offset) > 1000 ? 'warn' : 'info';
    this.#telemetry.log(level, 'the clock of this machine differs from the clock of the store, which is used', {
      millis: offset,
    });
    this.#offset = offset;
  }
}
