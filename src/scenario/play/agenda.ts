/**
 * The agenda of a simulation: entries by virtual instant, earliest first; at one instant by rank, then in the order of
 * arrival.
 */
export class Agenda {
  readonly #items: { readonly at: number; readonly rank: number; readonly happen: () => void }[] = [];

  /** Adds an entry at `at` (ms since 1970); a lower rank comes first. */
  add(at: number, rank: number, happen: () => void): void {
    const i = this.#items.findIndex((other) => other.at > at || (other.at === at && other.rank > rank));
    this.#items.splice(i < 0 ? this.#items.length : i, 0, { at, rank, happen });
  }

  /** The instant of the next entry; undefined when none is left. */
  next(): number | undefined {
    return this.#items[0]?.at;
  }

  /** Removes and returns the next entry. */
  take(): (() => void) | undefined {
    return this.#items.shift()?.happen;
  }
}
