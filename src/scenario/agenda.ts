/** What is set to happen at virtual instants: the earliest first; at one instant by rank, then in the order of arrival. */
export class Agenda {
  readonly #items: { readonly at: number; readonly rank: number; readonly happen: () => void }[] = [];

  /** Sets something to happen at `at` (ms since 1970); a lower rank comes first. */
  add(at: number, rank: number, happen: () => void): void {
    const i = this.#items.findIndex((other) => other.at > at || (other.at === at && other.rank > rank));
    this.#items.splice(i < 0 ? this.#items.length : i, 0, { at, rank, happen });
  }

  /** When the next thing happens; undefined when nothing is left. */
  next(): number | undefined {
    return this.#items[0]?.at;
  }

  /** Takes the next thing off the list. */
  take(): (() => void) | undefined {
    return this.#items.shift()?.happen;
  }
}
