/** Executions with their states and inputs, without their histories. */
import type { DetailValues } from '../../stored-rows.ts';
import { uuidArray } from '../binary-array.ts';
import type { Connections } from '../connections.ts';
import { executionId } from '../execution-id.ts';
import { decodeText } from '../text-column.ts';
import { decodeRecord, recordColumns } from './record-columns.ts';

// What an execution is pinned to is looked up row by row: whatever the tables were when it was planned, it reads no other.
const sql = `
SELECT ${recordColumns}, e.payload, e.traceparent, e.seq, e.inbox_seq AS "inboxSeq", e.state
FROM execution e CROSS JOIN LATERAL (
  SELECT name, version, hash FROM definition_body WHERE no = e.body OFFSET 0
) d
WHERE e.id = ANY ($1::uuid[])`;

/** Reads them, in the order of the ids; undefined for those that do not exist. */
export async function getExecutions(
  connections: Connections,
  ids: readonly string[],
): Promise<readonly (DetailValues | undefined)[]> {
  const wanted = ids.map((id) => executionId(id.toLowerCase()));
  const values = [uuidArray(wanted)];
  const rows = await connections.query<DetailValues>('short', { name: 'get-execution', text: sql, values });
  const found = new Map(
    rows.map((row) => [
      row.id,
      { ...decodeRecord(row), traceparent: row.traceparent === null ? null : decodeText(row.traceparent) },
    ]),
  );
  return wanted.map((id) => found.get(id));
}
