/**
 * Writes what lists see of an execution. Parameters: the summary's columns, then whether effects may stand, then the due
 * time (null when nothing is left to do).
 *
 * Called only when something of it changed: a running checkpoint leaves the row and its indexes alone.
 */
import type { SummaryValues } from '../../stored-rows.ts';
import type { Session } from '../session.ts';
import { standingLevel } from './standing-level.ts';

const sql = `
UPDATE execution
SET status = ?, round = ?, started_at = ?, completed_at = ?, reason = ?, failed_node_id = ?, failure_description = ?,
  callback_warning = ?, callback_keys = ?, standing = ?, due_at = ?
WHERE no = ?`;

/** Prepares it; `execution` is the execution's number. To be called after the checkpoint's rows were appended. */
export function setSummary(
  session: Session,
): (execution: number, summary: SummaryValues, maybeStanding: boolean, dueAt: number | null) => void {
  const update = session.write(sql);
  const level = standingLevel(session);
  return (execution, summary, maybeStanding, dueAt) => {
    update(...summary, maybeStanding ? level(execution) : 0, dueAt, execution);
  };
}
