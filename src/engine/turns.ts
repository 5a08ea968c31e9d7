import { setImmediate as loopTurn } from 'node:timers/promises';

/** Milliseconds of work in one slice: few enough that a hundred concurrent answers do not delay other work much. */
const sliceMillis = 10;

/**
 * Shares the turns of the event loop among the long-running answers of the API. Code that builds an answer in pieces
 * awaits {@link Turns.next} before each piece.
 *
 * Guarantees: once pieces have taken {@link sliceMillis} together, the event loop does other work, regardless of the
 * number of answers. Answers take turns in the order of their requests. (A separate `setImmediate` per answer would not suffice:
 * the event loop runs all of them before anything else.) What wakes it: the event loop. It needs no stop, because the
 * work ends by itself.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #now: () => number;
  /** When the present slice began. */
  #began = Number.NEGATIVE_INFINITY;
  #isTurning = false;

  /** `now` in milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Await this before each piece of work. Resolves at once while the slice lasts, otherwise at the caller's turn.
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
