/** Non-terminal executions of some shards that are due by an instant, by due time then id, after a cursor. Index only. */
import type { DueRow } from '../../../ports/store.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = `
SELECT id, slot, due_at AS dueAt FROM execution INDEXED BY execution_due
WHERE due_at IS NOT NULL AND due_at <= ? AND (due_at, id) > (?, ?)
  AND CAST(slot * ? / 16384 AS INTEGER) IN (SELECT value FROM json_each(?))
ORDER BY due_at, id LIMIT ?`;

/** Prepares it. */
export function findDue(session: Session): Operations['findDue'] {
  const select = session.all<DueRow>(sql);
  return ({ count, shards }, until, limit, cursor) => {
    const after = [cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, cursor?.id ?? ''] as const;
    return select(until, ...after, count, JSON.stringify(shards), limit).map((row) => ({ ...row }));
  };
}
