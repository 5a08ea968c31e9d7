/**
 * How the instants of an execution relate to its id, whose first bits are the time of its creation: a round begins and ends after
 * it, nearly always soon. Executions that began or ended late have indexes of their own (see the migrations).
 */

/** Executions that began or ended later than this after their creation are in the indexes of late ones. */
const lateMillis = 300_000;

/** An id may be this much ahead of the first instant of its execution. */
export const aheadMillis = 60_000;

/** An execution that is not late has an id of at most this much before its latest instant. */
export const promptMillis: number = lateMillis + aheadMillis;

/** The condition of the index `execution_late_start`. */
export const startedLate: string = `e.started_at > e.created_at + ${String(lateMillis)}`;

/** The condition of the indexes `execution_late`, by id, and `execution_late_end`, by the end. */
export const endedLate: string = `e.completed_at > e.created_at + ${String(lateMillis)}`;
