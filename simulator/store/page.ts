/** Pages of rows that are all in memory, in ascending order. */
import type { Page, PageRequest } from '../../src/ports/records.ts';
import { decodeCursor, encodeCursor, type CursorKind } from '../../src/store/cursor.ts';
import { pageValues, takePage } from '../../src/store/pages.ts';

type Key = readonly (string | number)[];

function compare(a: Key, b: Key): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] as string | number;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** How rows are paged. */
interface Paging<R, T> {
  readonly kind: CursorKind;
  /** The order unless the page names one. */
  readonly order: 'asc' | 'desc';
  readonly keyOf: (row: R) => Key;
  readonly lengthOf: (row: R) => number;
  readonly show: (row: R) => T;
}

/**
 * Returns a page of `rows`, which are in ascending order of their keys.
 *
 * @throws BadCursor if the cursor belongs to another list.
 */
export function pageOf<R, T>(rows: readonly R[], page: PageRequest, paging: Paging<R, T>): Page<T> {
  const { kind, keyOf, show } = paging;
  const values = pageValues(page, paging.order);
  const sign = values.order === 'asc' ? 1 : -1;
  const after = page.cursor === undefined ? undefined : decodeCursor(kind, page.cursor);
  const ordered = sign === 1 ? rows : rows.toReversed();
  const rest = ordered.filter((row) => after === undefined || compare(keyOf(row), after) * sign > 0);
  const { rows: shown, more } = takePage(rest.slice(values.offset), values, paging.lengthOf);
  const last = shown.at(-1);
  const items = shown.map((row) => show(row));
  return more && last !== undefined ? { items, cursor: encodeCursor(kind, keyOf(last)) } : { items };
}

/** Ascending order of ids. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
