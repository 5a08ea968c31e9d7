import type { Clock } from '../../ports/clock.ts';

/** Time without a failure that ends an outage, in ms. Longer than the longest pause before a retry. */
const calmMillis = 3_000;

/**
 * Detects the outages of one dependency of this process, for the log. Callers report every failure and every success, in
 * any order.
 *
 * An outage begins with the first failure and ends with the first success after {@link calmMillis} without a failure. So
 * partial and intermittent failures count as one outage.
 */
export class Outage {
  readonly #clock: Clock;
  #beganAt: number | undefined;
  #failedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether an outage has begun and not ended. */
  get lasts(): boolean {
    return this.#beganAt !== undefined;
  }

  /** Reports a failure. Returns whether it begins an outage. */
  failed(): boolean {
    this.#failedAt = this.#clock.monotonic();
    if (this.#beganAt !== undefined) return false;
    this.#beganAt = this.#failedAt;
    return true;
  }

  /**
   * Reports a success. If it ends an outage, returns the time from its first to its last failure, in milliseconds.
   */
  answered(): number | undefined {
    if (this.#beganAt === undefined || this.#clock.monotonic() - this.#failedAt < calmMillis) return undefined;
    const millis = this.#failedAt - this.#beganAt;
    this.#beganAt = undefined;
    return millis;
  }
}

/** Maximum number of different sentences logged per outage. */
const maxSentences = 20;

/**
 * Filters repeated connection errors, which occur at every attempt of several connections. Each sentence is logged once,
 * and again only after {@link calmMillis} without any error.
 */
export class Complaints {
  readonly #clock: Clock;
  readonly #said = new Set<string>();
  #lastAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reports an error. Returns whether to log its sentence. */
  isNews(sentence: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#lastAt >= calmMillis) this.#said.clear();
    this.#lastAt = now;
    if (this.#said.has(sentence) || this.#said.size >= maxSentences) return false;
    this.#said.add(sentence);
    return true;
  }
}
