import type { Clock, Timer } from '../../ports/clock.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

/** How long a start waits for an unavailable store, and the pause between its attempts, in ms. */
export const startPatienceMillis = 60_000;
const openRetryMillis = 500;

/** Time between the first and the second log line about the wait, in ms. The time doubles for each further line. */
const repeatMillis = 5_000;

/** What a {@link StartPatience} needs. */
export interface StartPatienceParts {
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'log'>;
  /** The location of the store for messages, without password. */
  readonly place: string;
}

/**
 * Waits for the store while a server starts, because the server may start before its database. Retries for
 * {@link startPatienceMillis}, and logs the first failure with the location, the reason and the deadline, then again
 * after 5, 15 and 35 s.
 */
export class StartPatience {
  readonly #parts: StartPatienceParts;
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;

  constructor(parts: StartPatienceParts) {
    this.#parts = parts;
  }

  /** Ends the wait, also of later calls: the next failure is final. A second call does nothing. */
  giveUp(): void {
    this.#isOver = true;
    this.#ended.resolve();
  }

  /**
   * Resolves once `open` does.
   *
   * @throws what `open` throws; for an unavailable store only after the time has passed, with location and time in the
   * message.
   */
  async until(open: () => Promise<void>): Promise<void> {
    const { clock, telemetry, place } = this.#parts;
    const begun = clock.monotonic();
    const until = new Date(clock.now() + startPatienceMillis).toISOString();
    let saidAt = -Infinity;
    let pause = repeatMillis;
    for (;;) {
      try {
        await open();
        if (saidAt > -Infinity)
          telemetry.log('info', 'the store answers', { store: place, millis: this.#since(begun) });
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        const waited = this.#since(begun);
        if (waited >= startPatienceMillis) throw atTheEnd(error, place, waited);
        if (this.#isOver) throw error;
        if (clock.monotonic() - saidAt >= pause) {
          if (saidAt > -Infinity) pause *= 2;
          saidAt = clock.monotonic();
          telemetry.log('warn', 'the store is away, waiting for it', { store: place, error: error.message, until });
        }
        await this.#rest();
      }
    }
  }

  #since(instant: number): number {
    return Math.round(this.#parts.clock.monotonic() - instant);
  }

  async #rest(): Promise<void> {
    let timer: Timer | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = this.#parts.clock.after(openRetryMillis, resolve);
    });
    await Promise.race([slept, this.#ended.promise]);
    timer?.cancel();
  }
}

function atTheEnd(error: StoreUnavailable, place: string, millis: number): StoreUnavailable {
  const seconds = String(Math.round(millis / 1000));
  const message = `${error.message} The store is ${place}; the start asked for ${seconds} s.`;
  return new StoreUnavailable(error.kind, message, error);
}
