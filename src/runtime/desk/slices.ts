/** Long work in slices: between two of them the event loop does whatever else waits. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../ports/clock.ts';

/** Milliseconds of work after which others get their turn: a tenth of what a person notices. */
const sliceMillis = 10;

/** See the file header. */
export class Slices {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #since: number;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** To be awaited after each piece of the work: lets others work where this slice is used up. */
  async next(): Promise<void> {
    if (this.#clock.monotonic() - this.#since < sliceMillis) return;
    await turn();
    this.#since = this.#clock.monotonic();
  }
}
