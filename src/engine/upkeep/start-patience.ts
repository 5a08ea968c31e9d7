import type { Clock, Timer } from '../../ports/clock.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

/** How long a start waits for a store that is away, and how often it asks, in milliseconds. */
export const startPatienceMillis = 60_000;
const openRetryMillis = 500;

/** Time between the first two log lines in milliseconds; each further pause is twice as long. */
const repeatMillis = 5_000;

/** What a {@link StartPatience} needs. */
export interface StartPatienceParts {
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'log'>;
  /** The address of the store for messages, without password. */
  readonly place: string;
}

/**
 * Waits for a store that is away while a server starts: a server that starts together with its database may be ready
 * first. It asks again until {@link startPatienceMillis} are over. It logs the first refusal with the address, the
 * cause and the time limit, and again after 5, 15 and 35 s.
 */
export class StartPatience {
  readonly #parts: StartPatienceParts;
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;

  constructor(parts: StartPatienceParts) {
    this.#parts = parts;
  }

  /** Ends the present and any later wait: what fails then fails for good. A second call does nothing. */
  giveUp(): void {
    this.#isOver = true;
    this.#ended.resolve();
  }

  /**
   * Resolves once `open` does.
   *
   * @throws what `open` throws; for a store that is away only when the time is over, with address and time in the
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
