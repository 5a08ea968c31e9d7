import type { ShardSet } from '../../../core/value/slot.ts';
import type { DueRow } from '../../../ports/records.ts';
import { activeStatuses } from '../../row-text.ts';
import type { CountValues, DueValues } from '../../stored-rows.ts';
import { int4Array } from '../columns/binary-array.ts';
import { keepsFamily } from '../columns/family.ts';
import type { Connections } from '../connection/connections.ts';
import { decodeText } from '../columns/text-column.ts';

// slot * count is below 16384 * 16384, which fits an int.
const inShards = (count: string, shards: string): string => `slot * ${count} / 16384 = ANY (${shards})`;

const dueSql = (columns: string): string => `
SELECT ${columns} FROM execution
WHERE due_at IS NOT NULL AND due_at <= $1 AND due_at >= $2 AND (due_at, id) > ($2, $3)
  AND ${inShards('$4::int', '$5::int[]')}
ORDER BY due_at, id LIMIT $6`;

const rowSql = dueSql('id, slot, due_at AS "dueAt"');

// A parked execution has no claims since its checkpoint, and its checkpoint is not later than its due time.
const detailSql = dueSql(
  'id, slot, due_at AS "dueAt", status, updated_at AS "updatedAt", CASE WHEN claims > 0 OR updated_at > due_at THEN claim END AS claim',
);

const countSql = `
SELECT 'status' AS kind, status AS value, count(*) AS count FROM execution
WHERE due_at IS NOT NULL AND status IN (${activeStatuses.map((status) => `'${status}'`).join(', ')})
  AND ${inShards('$1::int', '$2::int[]')}
GROUP BY status
UNION ALL
SELECT 'status', 'CORRUPTED', count(*) FROM execution
WHERE status = 'CORRUPTED' AND ${inShards('$1::int', '$2::int[]')}
HAVING count(*) > 0
UNION ALL
SELECT 'keys', callback_keys, count(*) FROM execution
WHERE callback_keys IS NOT NULL AND ${inShards('$1::int', '$2::int[]')}
GROUP BY callback_keys
UNION ALL
SELECT 'children', '', count(*) FROM execution e
WHERE ${keepsFamily('e')} AND root IS NOT NULL AND completed_at IS NULL AND ${inShards('$1::int', '$2::int[]')}
UNION ALL
SELECT 'hooks', '', count(*) FROM execution
WHERE due_at IS NOT NULL AND completed_at IS NOT NULL AND ${inShards('$1::int', '$2::int[]')}`;

const lowestId = '00000000-0000-0000-0000-000000000000';

interface Cursor {
  readonly dueAt: number;
  readonly id: string;
}

function valuesOf({ count, shards }: ShardSet, until: number, limit: number, cursor: Cursor | undefined): unknown[] {
  // An empty id is not a UUID; it sorts before all ids.
  const afterId = cursor === undefined || cursor.id === '' ? lowestId : cursor.id;
  return [until, cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, afterId, count, int4Array(shards), limit];
}

/** Finds executions of the shards that are due by an instant, ordered by due time, then id, after a cursor. */
export function findDue(
  connections: Connections,
  shards: ShardSet,
  until: number,
  limit: number,
  cursor: Cursor | undefined,
): Promise<DueRow[]> {
  const values = valuesOf(shards, until, limit, cursor);
  return connections.query<DueRow>('short', { name: 'find-due', text: rowSql, values });
}

/** The same with more columns. */
export async function listDue(
  connections: Connections,
  shards: ShardSet,
  until: number,
  limit: number,
  cursor: Cursor | undefined,
): Promise<readonly DueValues[]> {
  const values = valuesOf(shards, until, limit, cursor);
  const rows = await connections.query<DueValues>('short', { name: 'list-due', text: detailSql, values });
  return rows.map((row) => ({ ...row, claim: row.claim === null ? null : decodeText(row.claim) }));
}

/**
 * Counts executions that are non-terminal or CORRUPTED, have a parent and are not over, or have an undelivered hook. Reads about one
 * index entry per counted one.
 */
export async function countActive(
  connections: Connections,
  { count, shards }: ShardSet,
): Promise<readonly CountValues[]> {
  const rows = await connections.query<CountValues>('long', {
    name: 'count-active',
    text: countSql,
    values: [count, int4Array(shards)],
  });
  return rows.map((row) => ({ ...row, value: decodeText(row.value) }));
}
