/**
 * Counts executions of some shards: the non-terminal ones and CORRUPTED by status, those that can be called back by their
 * keys, those that have a parent, and those whose hook is still to be delivered. Reads about as many index entries as it counts.
 */
import { activeStatuses } from '../../row-text.ts';
import type { CountValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { keepsFamily } from './keeps-family.ts';

const counted = [...activeStatuses, 'CORRUPTED'];

const inShards = 'CAST(slot * ?1 / 16384 AS INTEGER) IN (SELECT value FROM json_each(?2))';

const sql = `
SELECT 'status' AS kind, status AS value, count(*) AS count FROM execution INDEXED BY execution_by_status
WHERE status IN (${counted.map((status) => `'${status}'`).join(', ')}) AND ${inShards}
GROUP BY status
UNION ALL
SELECT 'keys', callback_keys, count(*) FROM execution INDEXED BY execution_callback_keys
WHERE callback_keys IS NOT NULL AND ${inShards}
GROUP BY callback_keys
UNION ALL
SELECT 'children', '', count(*) FROM execution INDEXED BY execution_family
WHERE ${keepsFamily} = 1 AND root IS NOT NULL
  AND completed_at IS NULL AND ${inShards}
UNION ALL
SELECT 'hooks', '', count(*) FROM execution INDEXED BY execution_hook_pending
WHERE due_at IS NOT NULL AND completed_at IS NOT NULL AND ${inShards}`;

/** Prepares it. */
export function countActive(session: Session): Operations['countActive'] {
  const select = session.all<CountValues>(sql);
  return ({ count, shards }) => select(count, JSON.stringify(shards)).map((row) => ({ ...row }));
}
