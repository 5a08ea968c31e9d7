/**
 * The event loop's turns, shared by all long work of the API: whatever makes an answer piece by piece asks here before each piece.
 *
 * Guarantees: between two pieces of more than {@link sliceMillis} together the event loop does what else waits, however many answers
 * are in the making; those take turns in the order in which they asked. (To let each wait for `setImmediate` by itself would not do: the event loop runs
 * all of them, one after the other, before it looks at anything else.) Woken by the event loop; stopped by nothing, since work ends.
 */
import { setImmediate as loopTurn } from 'node:timers/promises';

/** Milliseconds of work after which others get their turn: few enough that a hundred answers are not noticed beside them. */
const sliceMillis = 10;

/** See the file header. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #now: () => number;
  /** When the piece began that has the turn. */
  #began = Number.NEGATIVE_INFINITY;
  #isTurning = false;

  /** `now` in milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** To be awaited before each piece of work: resolves at once while the slice lasts, else when it is this one's turn. */
  async next(): Promise<void> {
    if (this.#now() - this.#began < sliceMillis) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isTurning) void this.#turn();
    });
  }

  /** What `map` makes of each item, one after the other, each a piece of its own. */
  async map<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
    const mapped: R[] = [];
    for (const item of items) {
      await this.next();
      mapped.push(map(item));
    }
    return mapped;
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    while (this.#waiting.length > 0) {
      await loopTurn();
      this.#began = this.#now();
      this.#waiting.shift()?.();
    }
    this.#isTurning = false;
  }
}

/** Those of this process. */
export const turns: Turns = new Turns();
