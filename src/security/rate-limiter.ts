/** How much is allowed. */
export interface RateLimit {
  /** Tokens that come back per second; more than 0. */
  readonly perSecond: number;
  /** Tokens of a full bucket; at least 1. */
  readonly burst: number;
  /** Keys known at a time; at least 1. */
  readonly maxKeys: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

/**
 * Limits how often something may happen, per key: a bucket of tokens that fills up steadily. The number of buckets is
 * bounded; the one used longest ago is forgotten first, which at worst lets its owner begin anew.
 */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now monotonic milliseconds. */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Keys known now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until a token is there; 0 when one is there now. Takes none. */
  wait(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    const missing = 1 - this.#level(bucket);
    return missing <= 0 ? 0 : Math.ceil((missing / this.#limit.perSecond) * 1000);
  }

  /** Takes a token and answers 0; where none is left it takes nothing and answers as {@link RateLimiter.wait}. */
  take(key: string): number {
    const wait = this.wait(key);
    if (wait > 0) return wait;
    const known = this.#buckets.get(key);
    const tokens = known === undefined ? this.#limit.burst : this.#level(known);
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: tokens - 1, filledAt: this.#now() });
    if (this.#buckets.size > this.#limit.maxKeys) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    return 0;
  }

  #level({ tokens, filledAt }: Bucket): number {
    const { burst, perSecond } = this.#limit;
    return Math.min(burst, tokens + ((this.#now() - filledAt) / 1000) * perSecond);
  }
}
