/**
 * Appends events to the inboxes of other executions than the one that is written; see `Tell`. An execution that is over or does
 * not exist takes nothing (but for ends of children after a quarantine), nor does an inbox that has or had the event. Each event increments the inbox seq and makes its
 * execution due at the event's instant.
 *
 * Part of the transaction of the write: both are there, or neither is.
 */
import { toldText } from '../../row-text.ts';
import type { TellValues } from '../protocol.ts';
import type { Session } from '../session.ts';

const selectSql = `
SELECT no, due_at AS dueAt FROM execution
WHERE id = ?1 AND (completed_at IS NULL OR (?2 AND status = 'CORRUPTED' AND reason = 'engine'))`;

const insertSql = `
INSERT INTO inbox (execution, id, at, pending, event) VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`;

const bumpSql = 'UPDATE run SET inbox_seq = inbox_seq + 1 WHERE execution = ?';

const dueSql = 'UPDATE execution SET due_at = ? WHERE no = ?';

/** Prepares it; `sender` is the number of the execution that is written, whose summary is written already. */
export function tells(session: Session): (sender: number, told: readonly TellValues[]) => void {
  const select = session.one<{ no: number; dueAt: number | null }>(selectSql);
  const standingOf = session.one<{ standing: number }>('SELECT standing FROM execution WHERE no = ?');
  const insert = session.write(insertSql);
  const bump = session.write(bumpSql);
  const setDue = session.write(dueSql);
  return (sender, told) => {
    if (told.length === 0) return;
    const standing = (standingOf(sender)?.standing ?? 0) > 0;
    for (const [executionId, id, at, event] of told) {
      const target = select(executionId, event.lacksStanding ? 1 : 0);
      if (target === undefined || insert(target.no, id, at, toldText(event, standing)) === 0) continue;
      bump(target.no);
      if (target.dueAt !== null && target.dueAt > at) setDue(at, target.no);
    }
  };
}
