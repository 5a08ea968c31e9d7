/** Counts executions of some shards by status: the non-terminal ones and CORRUPTED. Reads as many rows as it counts. */
import { activeStatuses } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const counted = [...activeStatuses, 'CORRUPTED'];

const sql = `
SELECT status, count(*) AS count FROM execution INDEXED BY execution_by_status
WHERE status IN (${counted.map((status) => `'${status}'`).join(', ')})
  AND CAST(slot * ? / 16384 AS INTEGER) IN (SELECT value FROM json_each(?))
GROUP BY status`;

/** Prepares it. */
export function countByStatus(session: Session): Operations['countByStatus'] {
  const select = session.all<{ status: string; count: number }>(sql);
  return ({ count, shards }) => select(count, JSON.stringify(shards)).map((row) => ({ ...row }));
}
