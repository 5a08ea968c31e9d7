import type { UndoFilter } from '../../ports/store.ts';
import type { StepRow, UndoState } from '../../core/history.ts';

/** Where a row is in the order of compensation: by rank, within a rank the highest sort first. */
export interface UndoPosition {
  readonly rank: number;
  readonly sort: number;
}

/** What a change does to the rows of an execution. */
export interface UndoChange {
  readonly steps: readonly { readonly row: Pick<StepRow, 'round' | 'scope' | 'undo'> }[];
  readonly marks: ReadonlyMap<number, UndoState>;
  readonly reopened: readonly number[];
}

interface Place {
  readonly round: number;
  readonly filter: UndoFilter;
  readonly position: UndoPosition;
}

/** The positions that the searches of one execution have reached. */
interface Search {
  readonly places: Map<string, Place>;
}

/** Bound of the executions that compensate at the same time and are remembered. */
const maxExecutions = 2000;

/** Bound of the scopes that are remembered for one execution. */
const maxPlaces = 50;

/** The name of an inner scope begins with its outer scope and a slash. */
const isWithin = (scope: string, outer: string): boolean =>
  outer === '' || scope === outer || scope.startsWith(`${outer}/`);

const isOpen = (undo: UndoState | undefined): boolean => undo === 'pending' || undo === 'reopened';

const nameOf = (round: number, { scope, undo = 'pending' }: UndoFilter): string => `${round} ${undo} ${scope}`;

/**
 * How far the compensations of executions have come. Each compensation that ends leaves a dead entry in the index of what is to
 * be undone, until Postgres vacuums: a search that began with the first entry would read all dead ones, and the compensations of
 * a long loop would cost the square of their number.
 *
 * A position is a row before which no row of the round and scope is left. It holds until a change adds a row to be undone there,
 * or until another process may have written; then the next search begins at the front. Nothing but the cost depends on it.
 *
 * While an execution is in hand of this process, no other process writes its rows: a writer takes the execution over first, and
 * this process has to take it over again before it goes on, which forgets its positions.
 */
export class UndoPositions {
  readonly #searches = new Map<string, Search>();

  /** The search of an execution, to be given to {@link UndoPositions.reached}. */
  search(id: string): Search {
    const known = this.#searches.get(id);
    if (known !== undefined) return known;
    const search: Search = { places: new Map() };
    const [oldest] = this.#searches.keys();
    if (this.#searches.size >= maxExecutions && oldest !== undefined) this.#searches.delete(oldest);
    this.#searches.set(id, search);
    return search;
  }

  /** Notes what a search has found; in vain when the execution changed meanwhile. */
  reached(search: Search, round: number, filter: UndoFilter, position: UndoPosition): void {
    if (filter.only !== undefined) return;
    if (search.places.size >= maxPlaces) search.places.clear();
    search.places.set(nameOf(round, filter), { round, filter, position });
  }

  /**
   * Forgets the positions before which a change may add a row. To be called before the change is sent and after its answer: a
   * search in between may have seen the rows without the change.
   */
  changed(id: string, { steps, marks, reopened }: UndoChange): void {
    const search = this.#searches.get(id);
    if (search === undefined) return;
    if (reopened.length > 0 || [...marks.values()].some((undo) => isOpen(undo))) {
      this.forget(id);
      return;
    }
    const added = steps.filter(({ row }) => isOpen(row.undo)).map(({ row }) => row);
    if (added.length === 0) return;
    // A search that is under way keeps the old object, so that what it finds is not noted.
    const kept = [...search.places].filter(
      ([, { round, filter }]) => !added.some((row) => row.round === round && isWithin(row.scope, filter.scope)),
    );
    this.#searches.set(id, { places: new Map(kept) });
  }

  /** Forgets all positions of an execution that this process takes over. */
  forget(id: string): void {
    this.#searches.delete(id);
  }
}

/** The position at which a search may begin. */
export function beginning(search: Search, round: number, filter: UndoFilter): UndoPosition | undefined {
  return filter.only === undefined ? search.places.get(nameOf(round, filter))?.position : undefined;
}
