/** The earliest due time after an instant, of any non-terminal execution. */
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = `
SELECT due_at AS dueAt FROM execution INDEXED BY execution_due
WHERE due_at IS NOT NULL AND due_at > ? ORDER BY due_at LIMIT 1`;

/** Prepares it. */
export function nextDue(session: Session): Operations['nextDue'] {
  const select = session.one<{ dueAt: number }>(sql);
  return (after) => select(after)?.dueAt;
}
