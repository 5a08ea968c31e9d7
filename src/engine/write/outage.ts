import type { Clock } from '../../ports/clock.ts';

/** Longer than the longest pause before a failed call is tried again. */
const calmMillis = 3_000;

/**
 * One outage of a dependency of this process, for the log. It takes every failure and every success, in any order, and
 * says which of them an operator should read about.
 *
 * Failures of one part while another part answers are one outage, and so are failures of every second call: an outage
 * begins with the first failure and ends with the first success after {@link calmMillis} without a failure.
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

  /** Reports a failure. Answers whether that begins an outage. */
  failed(): boolean {
    this.#failedAt = this.#clock.monotonic();
    if (this.#beganAt !== undefined) return false;
    this.#beganAt = this.#failedAt;
    return true;
  }

  /**
   * Reports a success. If that ends an outage, answers how long the outage lasted up to its last failure, in
   * milliseconds.
   */
  answered(): number | undefined {
    if (this.#beganAt === undefined || this.#clock.monotonic() - this.#failedAt < calmMillis) return undefined;
    const millis = this.#failedAt - this.#beganAt;
    this.#beganAt = undefined;
    return millis;
  }
}

/** Most sentences of one outage that are remembered; further ones are not logged. */
const maxSentences = 20;

/**
 * Filters repeated errors of a connection. They come with every attempt, from several connections in turn: each
 * sentence is logged once, until no error has come for {@link calmMillis}.
 */
export class Complaints {
  readonly #clock: Clock;
  readonly #said = new Set<string>();
  #lastAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether to log the sentence. */
  isNews(sentence: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#lastAt >= calmMillis) this.#said.clear();
    this.#lastAt = now;
    if (this.#said.has(sentence) || this.#said.size >= maxSentences) return false;
    this.#said.add(sentence);
    return true;
  }
}
