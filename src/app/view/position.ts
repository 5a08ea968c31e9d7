/** How far a reader of an execution has come: rows of the history up to `ord`, and the revision `seq`. */
export interface EventPosition {
  readonly ord: number;
  readonly seq: number;
}

/** Digits of an id that mark the positions of its execution. */
const markLength = 8;

function markOf(id: string): string {
  return id.slice(-markLength);
}

/** The position as an opaque text of at most 64 characters, which belongs to this execution alone. */
export function positionText(id: string, { ord, seq }: EventPosition): string {
  return `${markOf(id)}.${String(ord)}.${String(seq)}`;
}
