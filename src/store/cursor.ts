/**
 * Cursors of pages: opaque to clients, checked when they come back. A cursor names the last row of its page by its sort
 * key, so that rows added or removed meanwhile neither repeat nor hide others.
 */
import { Buffer } from 'node:buffer';
import { BadCursor } from '../ports/store.ts';

/** Which list a cursor belongs to: a cursor of another list is refused. */
export type CursorKind = 'execution' | 'definition' | 'name' | 'step' | 'call' | 'audit';

/** A cursor that continues after a row with this sort key. */
export function encodeCursor(kind: CursorKind, key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([kind, ...key])).toString('base64url');
}

/** Checks for the parts of sort keys; no store issues other values. */
const parts = {
  ord: (part: unknown): boolean => isWithin(part, 0, maxOrd),
  instant: (part: unknown): boolean => isWithin(part, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  uuid: (part: unknown): boolean => typeof part === 'string' && uuid.test(part),
  text: (part: unknown): boolean => typeof part === 'string',
} as const;

/** Ords are numbers of 32 bits in every store. */
const maxOrd = 2_147_483_647;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isWithin(part: unknown, min: number, max: number): boolean {
  return Number.isInteger(part) && (part as number) >= min && (part as number) <= max;
}

const shapes: Readonly<Record<CursorKind, readonly (keyof typeof parts)[]>> = {
  execution: ['uuid'],
  definition: ['instant', 'text'],
  name: ['text'],
  step: ['ord'],
  call: ['ord'],
  audit: ['text'],
};

/**
 * The sort key of a cursor of this list.
 *
 * @throws BadCursor when it is malformed or belongs to another list.
 */
export function decodeCursor(kind: CursorKind, cursor: string): readonly (string | number)[] {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new BadCursor('The cursor is malformed.');
  }
  const shape = shapes[kind];
  if (!Array.isArray(found) || found[0] !== kind || found.length !== shape.length + 1) {
    throw new BadCursor('The cursor does not belong to this list.');
  }
  const key: readonly unknown[] = found.slice(1);
  if (!shape.every((part, i) => parts[part](key[i]))) throw new BadCursor('The cursor is malformed.');
  return key as readonly (string | number)[];
}
