import type { ClaimValues } from '../../stored-rows.ts';
import { uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import { isExecutionId } from '../columns/execution-id.ts';
import { decodeText } from '../columns/text-column.ts';

// As in take-over.ts, the condition on due_at does not match the index of due executions, so that plans begin with the ids.
const sql = `
SELECT id, claim, seq, inbox_seq AS "inboxSeq" FROM execution
WHERE id = ANY ($1::uuid[]) AND coalesce(due_at, -1) <> -1`;

/** Reads the claims of those executions that have a due time. */
export async function readClaims(connections: Connections, ids: readonly string[]): Promise<readonly ClaimValues[]> {
  const rows = await connections.query<ClaimValues>('short', {
    name: 'read-claims',
    text: sql,
    values: [uuidArray(ids.filter((id) => isExecutionId(id)))],
  });
  return rows.map((row) => ({ ...row, claim: row.claim === null ? null : decodeText(row.claim) }));
}
