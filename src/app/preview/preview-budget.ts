import type { Meter } from '../../core/meter.ts';

/** Bound on all rendered requests together, in UTF-8 bytes: the size of an answer of the API. */
const maxBytes = 4 * 1024 * 1024;

/** Bound on the steps of all renderings together (see `core/meter.ts`): about half a second of work, done in pieces. */
const maxSteps = 1_000_000;

/** Counts the cost of one preview over all its requests. */
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
