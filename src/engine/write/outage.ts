/**
 * One outage of something that this process depends on, for the log: it is told of every failure and every success, in any
 * order, and says which of them an operator should read about.
 *
 * While one part of it fails and another answers, or each second call fails, that is one outage: it begins with the first
 * failure and is over with the first success after {@link calmMillis} without a failure.
 */
import type { Clock } from '../../ports/clock.ts';

/** Longer than the longest pause before something that failed is tried again. */
const calmMillis = 3_000;

/** See the file header. */
export class Outage {
  readonly #clock: Clock;
  #beganAt: number | undefined;
  #failedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one has begun that is not over. */
  get lasts(): boolean {
    return this.#beganAt !== undefined;
  }

  /** It failed. Answers whether that begins an outage. */
  failed(): boolean {
    this.#failedAt = this.#clock.monotonic();
    if (this.#beganAt !== undefined) return false;
    this.#beganAt = this.#failedAt;
    return true;
  }

  /** It answered. Answers how long the outage lasted, in milliseconds up to its last failure, when that ends one. */
  answered(): number | undefined {
    if (this.#beganAt === undefined || this.#clock.monotonic() - this.#failedAt < calmMillis) return undefined;
    const millis = this.#failedAt - this.#beganAt;
    this.#beganAt = undefined;
    return millis;
  }
}

/** Sentences of one outage that are kept apart; further ones are no news. */
const maxSentences = 20;

/**
 * Which complaints about a connection are news. They come with every attempt, of several connections in turn: each sentence is
 * news once, until nothing has been complained about for {@link calmMillis}.
 */
export class Complaints {
  readonly #clock: Clock;
  readonly #said = new Set<string>();
  #lastAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the sentence is to be logged. */
  isNews(sentence: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#lastAt >= calmMillis) this.#said.clear();
    this.#lastAt = now;
    if (this.#said.has(sentence) || this.#said.size >= maxSentences) return false;
    this.#said.add(sentence);
    return true;
  }
}
