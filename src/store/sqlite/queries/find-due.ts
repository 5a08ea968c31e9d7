/** Executions of some shards that are due by an instant, by due time then id, after a cursor. */
import type { DueRow } from '../../../ports/records.ts';
import type { DueValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = (columns: string, more: string): string => `
SELECT id, slot, due_at AS dueAt${columns} FROM execution INDEXED BY execution_due${more}
WHERE due_at IS NOT NULL AND due_at <= ? AND (due_at, id) > (?, ?)
  AND CAST(slot * ? / 16384 AS INTEGER) IN (SELECT value FROM json_each(?))
ORDER BY due_at, id LIMIT ?`;

// A parked execution has no claims since its checkpoint, and its checkpoint is not later than its due time.
const detailSql = sql(
  ', status, updated_at AS updatedAt, CASE WHEN claims > 0 OR updated_at > due_at THEN claim END AS claim',
  ' JOIN run ON run.execution = no',
);

/** Prepares it. Index only. */
export function findDue(session: Session): Operations['findDue'] {
  return reader(session.all<DueRow>(sql('', '')));
}

/** Prepares the one that reads more of each row. */
export function listDue(session: Session): Operations['listDue'] {
  return reader(session.all<DueValues>(detailSql));
}

type Parameters = [
  shards: { readonly count: number; readonly shards: readonly number[] },
  until: number,
  limit: number,
  cursor: { readonly dueAt: number; readonly id: string } | undefined,
];

function reader<R extends object>(
  select: (...values: (string | number)[]) => readonly R[],
): (...asked: Parameters) => readonly R[] {
  return ({ count, shards }, until, limit, cursor) => {
    const after = [cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, cursor?.id ?? ''] as const;
    return select(until, ...after, count, JSON.stringify(shards), limit).map((row) => ({ ...row }));
  };
}
