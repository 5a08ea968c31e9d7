import type { ClaimValues } from '../../stored-rows.ts';
import { uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import { isExecutionId } from '../columns/execution-id.ts';
import { decodeText } from '../columns/text-column.ts';
import { isLookedUp } from './looked-up.ts';

// As in take-over.ts, the condition on due_at does not match the index of due executions, so that plans begin with the ids.
const sql = `
SELECT e.id, e.claim, e.seq, e.inbox_seq AS "inboxSeq"
FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')} AND coalesce(e.due_at, -1) <> -1`;

/** Reads the claims of those executions that have a due time. */
export async function readClaims(connections: Connections, ids: readonly string[]): Promise<readonly ClaimValues[]> {
  const rows = await connections.query<ClaimValues>('short', {
    name: 'read-claims',
    text: sql,
    values: [uuidArray(ids.filter((id) => isExecutionId(id)))],
  });
  return rows.map((row) => ({ ...row, claim: row.claim === null ? null : decodeText(row.claim) }));
}
