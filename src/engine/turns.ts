import { setImmediate as loopTurn } from 'node:timers/promises';

/**
 * Milliseconds of work after which other work gets its turn: few enough that a hundred concurrent answers do not
 * disturb it.
 */
const sliceMillis = 10;

/**
 * Shares the turns of the event loop among all long work of the API: work that makes an answer piece by piece asks here
 * before each piece.
 *
 * Guarantees: between pieces that take more than {@link sliceMillis} together the event loop does other work, however
 * many answers are being made; these take turns in the order in which they asked. (Separate waits for `setImmediate`
 * would not do: the event loop runs all of them, one after the other, before it looks at anything else.) What wakes it:
 * the event loop. It needs no stop, since work ends.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #now: () => number;
  /** When the present piece began. */
  #began = Number.NEGATIVE_INFINITY;
  #isTurning = false;

  /** `now` in milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Await this before each piece of work. Resolves at once while the slice lasts, else when it is the caller's turn.
   */
  async next(): Promise<void> {
    if (this.#now() - this.#began < sliceMillis) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isTurning) void this.#turn();
    });
  }

  /** Maps the items one after the other, each as a piece of its own. */
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

/** The turns of this process. */
export const turns: Turns = new Turns();
