import type { StepOutput, StepRow } from '../history.ts';
import type { ItemEnd, State } from '../state.ts';
import { type Json, memorySize } from '../value/json.ts';
import { type ItemPlace, itemsOf } from './scope.ts';

/** Number of items in one row of the history: a load reads the rows of the running items alone. */
export const itemsPerRow = 256;

/** The ord of the row that holds the item at a place, for a loop whose first row has the ord `first`. */
export function itemRow(first: number, place: number): number {
  return first + 1 + Math.floor(place / itemsPerRow);
}

/** The rows of loops that are in memory, by ord: items, and items that have ended. Immutable. */
export class LoopRows {
  static readonly none: LoopRows = new LoopRows(new Map());

  readonly #rows: ReadonlyMap<number, StepOutput>;
  #size: number | undefined;

  private constructor(rows: ReadonlyMap<number, StepOutput>) {
    this.#rows = rows;
  }

  /** Whether a row belongs here, not to what templates read by the id of a node. */
  static holds({ output }: StepRow): boolean {
    return output?.items !== undefined || output?.ends !== undefined;
  }

  /** Adds those of the rows that belong here. */
  with(rows: readonly StepRow[]): LoopRows {
    const own = rows.filter((row) => LoopRows.holds(row));
    if (own.length === 0) return this;
    const all = new Map(this.#rows);
    for (const { ord, output } of own) if (output !== undefined) all.set(ord, output);
    return new LoopRows(all);
  }

  /** Leaves in the store all rows that `isWanted` rejects. */
  trimmed(isWanted: (ord: number) => boolean): LoopRows {
    const kept = [...this.#rows].filter(([ord]) => isWanted(ord));
    return kept.length === this.#rows.size ? this : new LoopRows(new Map(kept));
  }

  has(ord: number): boolean {
    return this.#rows.has(ord);
  }

  /** The value of an item; undefined if its row is not in memory. */
  item({ ord, place }: Pick<ItemPlace, 'ord' | 'place'>): Json | undefined {
    return this.#rows.get(itemRow(ord, place))?.items?.[place % itemsPerRow];
  }

  /** The ended items of a row; none if it is not in memory. */
  ends(ord: number): readonly ItemEnd[] {
    return this.#rows.get(ord)?.ends ?? [];
  }

  /** Approximate size in memory, in bytes. */
  get size(): number {
    // All fields of an output are JSON values, although its type does not express that.
    return (this.#size ??= [...this.#rows.values()].reduce((sum, row) => sum + memorySize(row as unknown as Json), 0));
  }
}

/** The ords of the rows that the loops of a state need: of the running items, of the next one, and at the end all results. */
export function loopRowsOf({
  tokens,
}: Pick<State, 'tokens'>): readonly { readonly nodeId: string; readonly ord: number }[] {
  return tokens.flatMap(({ nodeId, stage }) => {
    if (stage.kind !== 'looping') return [];
    const { ord, count, next, ended, running, endRows } = stage.loop;
    const places = running.map(({ place }) => place);
    if (next < count) places.push(next);
    const rows = new Set(places.map((place) => itemRow(ord, place)));
    if (ended === count) for (const row of endRows) rows.add(row);
    return Array.from(rows, (row) => ({ nodeId, ord: row }));
  });
}

/** The ords of the rows that hold the items of a scope. */
export function itemRowsOf(scope: string): readonly { readonly nodeId: string; readonly ord: number }[] {
  return itemsOf(scope).map(({ nodeId, ord, place }) => ({ nodeId, ord: itemRow(ord, place) }));
}
