/** What is due, and how many executions are in which status, by shards. */
import type { ShardSet } from '../../../core/slot.ts';
import type { DueRow } from '../../../ports/store.ts';
import { activeStatuses } from '../../row-text.ts';
import { int4Array } from '../binary-array.ts';
import type { Connections } from '../connections.ts';

// All slots of all shards are below 16384 times 16384, which an integer holds.
const inShards = (count: string, shards: string): string => `slot * ${count} / 16384 = ANY (${shards})`;

const dueSql = `
SELECT id, slot, due_at AS "dueAt" FROM execution
WHERE due_at IS NOT NULL AND due_at <= $1 AND due_at >= $2 AND (due_at, id) > ($2, $3)
  AND ${inShards('$4::int', '$5::int[]')}
ORDER BY due_at, id LIMIT $6`;

const counted = [...activeStatuses, 'CORRUPTED'];

const countSql = `
SELECT status, count(*) AS count FROM execution
WHERE status IN (${counted.map((status) => `'${status}'`).join(', ')}) AND ${inShards('$1::int', '$2::int[]')}
GROUP BY status`;

const lowestId = '00000000-0000-0000-0000-000000000000';

/** Non-terminal executions of some shards that are due by an instant, by due time then id, after a cursor. */
export function findDue(
  connections: Connections,
  { count, shards }: ShardSet,
  until: number,
  limit: number,
  cursor: { readonly dueAt: number; readonly id: string } | undefined,
): Promise<DueRow[]> {
  // An empty id is no uuid, and comes before all of them.
  const afterId = cursor === undefined || cursor.id === '' ? lowestId : cursor.id;
  const after = [cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, afterId];
  const values = [until, ...after, count, int4Array(shards), limit];
  return connections.query<DueRow>('short', { name: 'find-due', text: dueSql, values });
}

/** The non-terminal ones and CORRUPTED. Reads as many index entries as it counts. */
export function countByStatus(
  connections: Connections,
  { count, shards }: ShardSet,
): Promise<{ readonly status: string; readonly count: number }[]> {
  const values = [count, int4Array(shards)];
  return connections.query('long', { name: 'count-by-status', text: countSql, values });
}
