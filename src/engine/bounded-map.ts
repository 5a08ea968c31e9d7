/** What the entries of a {@link BoundedMap} weigh, and how much all of them may. */
export interface Weights<V> {
  readonly most: number;
  of(value: V): number;
}

/** A map that forgets what was used longest ago when it is full. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #weights: Weights<V> | undefined;
  #weight = 0;

  /** `limit` is the most entries it holds, at least 1. An entry that alone weighs more than all may is not kept. */
  constructor(limit: number, weights?: Weights<V>) {
    this.#limit = limit;
    this.#weights = weights;
  }

  /** Entries now. */
  get size(): number {
    return this.#entries.size;
  }

  /** What all entries weigh; 0 where nothing does. */
  get weight(): number {
    return this.#weight;
  }

  /** The value, which counts as used now. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Adds or replaces it; the entries used longest ago go when there is no room. */
  set(key: K, value: V): void {
    this.take(key);
    const weight = this.#weights?.of(value) ?? 0;
    const most = this.#weights?.most ?? Infinity;
    if (weight > most) return;
    this.#entries.set(key, value);
    this.#weight += weight;
    while (this.#entries.size > this.#limit || this.#weight > most) {
      const oldest = this.#entries.keys().next();
      if (oldest.done === true) return;
      this.take(oldest.value);
    }
  }

  /** Removes it and returns what it was. */
  take(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#weight -= this.#weights?.of(value) ?? 0;
    return value;
  }
}
