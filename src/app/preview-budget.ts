import type { Meter } from '../core/meter.ts';

/** Bytes of all rendered requests together, as UTF-8: what an answer of the API may hold. */
const maxBytes = 4 * 1024 * 1024;

/** Steps of all renderings together (see `core/meter.ts`): about half a second of work, which is done in pieces. */
const maxSteps = 1_000_000;

/** Counts what one preview has cost so far, over all the requests that it shows. */
export class PreviewBudget implements Meter {
  #steps = 0;
  #bytes = 0;

  charge(steps: number, bytes: number): void {
    this.#steps += steps;
    this.#bytes += bytes;
  }

  /** Whether no further request may be shown. */
  get isSpent(): boolean {
    return this.#steps > maxSteps || this.#bytes > maxBytes;
  }
}
