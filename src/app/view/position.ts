/** How far a reader of an execution has come: rows of the history up to `ord`, and the revision `seq`. */
export interface EventPosition {
  readonly ord: number;
  readonly seq: number;
}

/** Before everything. */
export const beginning: EventPosition = { ord: 0, seq: -1 };

/** Digits of an id that mark the positions of its execution. */
const markLength = 8;

function markOf(id: string): string {
  return id.slice(-markLength);
}

/**
 * The position as an opaque text of at most 64 characters, which belongs to this execution alone. `count` tells events apart that are not
 * kept: a reader resumes after the position itself.
 */
export function positionText(id: string, { ord, seq }: EventPosition, count = 0): string {
  const text = `${markOf(id)}.${String(ord)}.${String(seq)}`;
  return count === 0 ? text : `${text}.${String(count)}`;
}

/** The position of a text; undefined if it is malformed or of another execution. */
export function positionOf(id: string, text: string): EventPosition | undefined {
  const match = /^([0-9a-f]{8})\.(\d{1,10})\.(-1|\d{1,15})(?:\.\d{1,10})?$/.exec(text);
  if (match === null || match[1] !== markOf(id)) return undefined;
  return { ord: Number(match[2]), seq: Number(match[3]) };
}
