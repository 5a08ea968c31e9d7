/** The weight of each entry of a {@link BoundedMap}, and the bound of the sum. */
export interface Weights<V> {
  readonly most: number;
  of(value: V): number;
}

/** A map that evicts the least recently used entries when it is full. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #weights: Weights<V> | undefined;
  #weight = 0;
  /** The most recently used key: using it again moves nothing. */
  #newest: K | undefined;

  /** `limit` is the maximum number of entries, at least 1. The map does not keep an entry heavier than the whole bound. */
  constructor(limit: number, weights?: Weights<V>) {
    this.#limit = limit;
    this.#weights = weights;
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** The weight of all entries; 0 for a map without weights. */
  get weight(): number {
    return this.#weight;
  }

  /** The value. Counts as a use. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    if (key === this.#newest) return value;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
    return value;
  }

  /** Adds or replaces an entry, and evicts the least recently used entries until there is room. */
  set(key: K, value: V): void {
    this.take(key);
    const weight = this.#weights?.of(value) ?? 0;
    const most = this.#weights?.most ?? Infinity;
    if (weight > most) return;
    this.#entries.set(key, value);
    this.#newest = key;
    this.#weight += weight;
    while (this.#entries.size > this.#limit || this.#weight > most) {
      const oldest = this.#entries.keys().next();
      if (oldest.done === true) return;
      this.take(oldest.value);
    }
  }

  /** Removes an entry and returns its value. */
  take(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    if (key === this.#newest) this.#newest = undefined;
    this.#weight -= this.#weights?.of(value) ?? 0;
    return value;
  }
}
