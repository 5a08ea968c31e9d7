/** Counts executions by status: the non-terminal ones and CORRUPTED. Reads as many index entries as it counts. */
import { activeStatuses } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const counted = [...activeStatuses, 'CORRUPTED'];

const sql = `
SELECT status, count(*) AS count FROM execution INDEXED BY execution_by_status
WHERE status IN (${counted.map((status) => `'${status}'`).join(', ')})
GROUP BY status`;

/** Prepares it. */
export function countByStatus(session: Session): Operations['countByStatus'] {
  const select = session.all<{ status: string; count: number }>(sql);
  return () => select().map((row) => ({ ...row }));
}
