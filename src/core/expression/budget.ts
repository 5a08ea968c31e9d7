/** What one evaluation of a condition may cost, and what it has cost so far. */

/**
 * Bytes (UTF-16 units) of all texts that one evaluation may build: sixteen of the largest payloads. Steps bound them, too, but an
 * operator may raise those a hundredfold.
 */
const maxBuiltBytes = 16_777_216;

/** Counts the steps of one evaluation, and the bytes of the texts that it builds. */
export class Budget {
  readonly #limit: number;
  #steps = 0;
  #bytes = 0;

  /** `limit` is in steps. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Steps spent since the beginning; the one that was too many included. */
  get steps(): number {
    return this.#steps;
  }

  /** Bytes of the texts built since the beginning. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins anew. */
  reset(): void {
    this.#steps = 0;
    this.#bytes = 0;
  }

  /** Takes `steps`. Throws beyond the limit. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#limit) throw new Error(`The condition takes more than ${String(this.#limit)} steps.`);
  }

  /** Takes the bytes of a text that is about to be built. Throws beyond the limit. */
  build(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > maxBuiltBytes) {
      throw new Error(`The condition builds more than ${String(maxBuiltBytes)} bytes of text.`);
    }
  }
}
