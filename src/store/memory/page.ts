/** Pages of rows that are all in memory, in ascending order. */
import type { Page, PageRequest } from '../../ports/store.ts';
import { decodeCursor, encodeCursor, type CursorKind } from '../cursor.ts';

type Key = readonly (string | number)[];

function compare(a: Key, b: Key): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] as string | number;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

const shapes: Readonly<Record<CursorKind, readonly ('string' | 'number')[]>> = {
  execution: ['string'],
  definition: ['number', 'string'],
  step: ['number'],
  call: ['number'],
  audit: ['string'],
};

/**
 * The page of `rows`, which are in ascending order of their keys.
 *
 * @throws BadCursor when the cursor is none of this list.
 */
export function pageOf<R, T>(
  kind: CursorKind,
  rows: readonly R[],
  page: PageRequest,
  order: 'asc' | 'desc',
  keyOf: (row: R) => Key,
  show: (row: R) => T,
): Page<T> {
  const sign = (page.order ?? order) === 'asc' ? 1 : -1;
  const after = page.cursor === undefined ? undefined : decodeCursor(kind, shapes[kind], page.cursor);
  const ordered = sign === 1 ? rows : rows.toReversed();
  const rest = ordered.filter((row) => after === undefined || compare(keyOf(row), after) * sign > 0);
  const shown = rest.slice(page.offset ?? 0, (page.offset ?? 0) + page.limit);
  const last = shown.at(-1);
  const more = rest.length > (page.offset ?? 0) + page.limit;
  const items = shown.map((row) => show(row));
  return more && last !== undefined ? { items, cursor: encodeCursor(kind, keyOf(last)) } : { items };
}

/** Ascending order of ids. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
