/** The rate and burst of a {@link RateLimiter}. */
export interface RateLimit {
  /** Tokens refilled per second; more than 0. */
  readonly perSecond: number;
  /** Capacity of a bucket; at least 1. */
  readonly burst: number;
  /** Keys tracked at a time; at least 1. */
  readonly maxKeys: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

/**
 * Limits a rate per key with token buckets. The number of buckets is bounded: the least recently used one is dropped,
 * which at worst gives its owner a full bucket again.
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

  /** Number of keys tracked now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until a token is available; 0 if one is. Takes none. */
  wait(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    const missing = 1 - this.#level(bucket);
    return missing <= 0 ? 0 : Math.ceil((missing / this.#limit.perSecond) * 1000);
  }

  /** Takes a token and returns 0; without a token, takes none and returns what {@link RateLimiter.wait} returns. */
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
