/**
 * What stands of an ended execution: 0 nothing, 1 effects that succeeded or were settled as standing, 2 also unknown ones
 * that no operator settled. Reads the rows that stand, and no others.
 */
import type { Session } from '../session.ts';

const sql = `
SELECT coalesce(max(CASE WHEN effect = 'unknown' AND undo IS NOT 'accepted' THEN 2 ELSE 1 END), 0) AS level
FROM step
WHERE execution = ? AND effect IS NOT NULL AND (undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'))`;

/** Prepares it; `execution` is the execution's number. */
export function standingLevel(session: Session): (execution: number) => number {
  const select = session.one<{ level: number }>(sql);
  return (execution) => select(execution)?.level ?? 0;
}
