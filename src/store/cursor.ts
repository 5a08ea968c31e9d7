/**
 * Cursors of pages: opaque to clients, checked when they come back. A cursor names the last row of its page by its sort
 * key, so that rows added or removed meanwhile neither repeat nor hide others.
 */
import { Buffer } from 'node:buffer';
import { BadCursor } from '../ports/store.ts';

/** Which list a cursor belongs to: a cursor of another list is refused. */
export type CursorKind = 'execution' | 'definition' | 'step' | 'call' | 'audit';

/** A cursor that continues after a row with this sort key. */
export function encodeCursor(kind: CursorKind, key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([kind, ...key])).toString('base64url');
}

/**
 * The sort key of a cursor, of the types of `shape` (`'string'` or `'number'` for each part).
 *
 * @throws BadCursor when it is none of this list.
 */
export function decodeCursor(
  kind: CursorKind,
  shape: readonly ('string' | 'number')[],
  cursor: string,
): readonly (string | number)[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new BadCursor('The cursor is malformed.');
  }
  if (!Array.isArray(parts) || parts[0] !== kind || parts.length !== shape.length + 1) {
    throw new BadCursor('The cursor does not belong to this list.');
  }
  const key = parts.slice(1) as readonly (string | number)[];
  // oxlint-disable-next-line eslint/valid-typeof -- shape holds only names of types
  if (key.some((part, i) => typeof part !== shape[i])) throw new BadCursor('The cursor is malformed.');
  return key;
}
