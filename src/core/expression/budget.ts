/**
 * Maximum size of all texts built by one evaluation, in UTF-16 units: sixteen times the largest payload. The step limit
 * bounds them too, but operators may raise it a hundredfold.
 */
const maxBuiltBytes = 16_777_216;

/** Counts the steps of one evaluation, and the size of the texts that it builds. */
export class Budget {
  readonly #most: number;
  #limit: number;
  #steps = 0;
  #bytes = 0;

  /** `limit` is in steps. */
  constructor(limit: number) {
    this.#most = limit;
    this.#limit = limit;
  }

  /** Steps spent since the last reset, including the one that exceeded the limit. */
  get steps(): number {
    return this.#steps;
  }

  /** Size of the texts built since the last reset. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resets the counters for the next evaluation, which may take `limit` steps, if that is less than the own limit. */
  reset(limit: number = Infinity): void {
    this.#limit = Math.min(limit, this.#most);
    this.#steps = 0;
    this.#bytes = 0;
  }

  /** Charges `steps` steps. Throws when the limit is exceeded. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#limit) throw new Error(`The condition takes more than ${String(this.#limit)} steps.`);
  }

  /** Charges a text before it is built. Throws when the limit is exceeded. */
  build(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > maxBuiltBytes) {
      throw new Error(`The condition builds more than ${String(maxBuiltBytes)} bytes of text.`);
    }
  }
}
