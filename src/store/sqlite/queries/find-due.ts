/** Non-terminal executions of some slots that are due by an instant, by due time then id, after a cursor. Index only. */
import type { DueRow } from '../../../ports/store.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = `
SELECT id, slot, due_at AS dueAt FROM execution INDEXED BY execution_due
WHERE due_at IS NOT NULL AND due_at <= ? AND (due_at, id) > (?, ?) AND slot >= ? AND slot < ?
ORDER BY due_at, id LIMIT ?`;

/** Prepares it. */
export function findDue(session: Session): Operations['findDue'] {
  const select = session.all<DueRow>(sql);
  return (slots, until, limit, cursor) =>
    select(until, cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, cursor?.id ?? '', slots.from, slots.to, limit).map(
      (row) => ({ ...row }),
    );
}
