import type { Clock, Timer } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

const lookMillis = 10_000;

/** Smaller differences are ignored: they are noise, and every correction is a small jump. */
const toleranceMillis = 50;

/**
 * The clock of a process that shares its store with others: the machine's clock, corrected by its difference to the
 * store's. So all processes agree about due times and ids, whatever their machines say.
 *
 * A difference that the round trip may explain counts as none. What wakes it: an interval of {@link lookMillis}; while
 * the store is away the last correction holds. What stops it: `stop`.
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

  /** Follows the store from now on; resolves after the first reading. */
  async follow(store: Pick<Store, 'ping'>): Promise<void> {
    try {
      await this.#look(store);
    } catch (error) {
      // Other users of the store report its trouble.
      if (this.#telemetry.logs('debug')) this.#telemetry.log('debug', 'clock not compared', { error: String(error) });
    }
    if (this.#stopped) return;
    this.#timer = this.#system.after(lookMillis, () => void this.follow(store));
  }

  /** Stops comparing. A second call does nothing. */
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
