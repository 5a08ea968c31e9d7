/** Executions with their states, with their inputs or without, without their histories. */
import type { DetailValues, ProgressValues } from '../../stored-rows.ts';
import { uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { executionId } from '../columns/execution-id.ts';
import { decodeText } from '../columns/text-column.ts';
import { decodeRecord, recordColumns } from './record-columns.ts';

// What an execution is pinned to is looked up row by row: whatever the tables were when it was planned, it reads no other.
const sql = (columns: string): string => `
SELECT ${recordColumns}, e.traceparent, e.seq, e.inbox_seq AS "inboxSeq", e.state${columns}
FROM execution e CROSS JOIN LATERAL (
  SELECT name, version, hash FROM definition_body WHERE no = e.body OFFSET 0
) d
WHERE e.id = ANY ($1::uuid[])`;

const detailStatement = { name: 'get-execution', text: sql(', e.payload') };
const progressStatement = { name: 'get-progress', text: sql('') };

/** Reads them with their inputs, in the order of the ids; undefined for those that do not exist. */
export function getExecutions(
  connections: Connections,
  ids: readonly string[],
): Promise<readonly (DetailValues | undefined)[]> {
  return read<DetailValues>(connections, detailStatement, ids);
}

/** Reads them without their inputs, in the order of the ids; undefined for those that do not exist. */
export function getProgress(
  connections: Connections,
  ids: readonly string[],
): Promise<readonly (ProgressValues | undefined)[]> {
  return read<ProgressValues>(connections, progressStatement, ids);
}

async function read<T extends ProgressValues>(
  connections: Connections,
  statement: Pick<Statement, 'name' | 'text'>,
  ids: readonly string[],
): Promise<readonly (T | undefined)[]> {
  const wanted = ids.map((id) => executionId(id.toLowerCase()));
  const values = [uuidArray([...new Set(wanted)])];
  const rows = await connections.query<T>('short', { ...statement, values });
  const found = new Map(
    rows.map((row) => [
      row.id,
      { ...decodeRecord(row), traceparent: row.traceparent === null ? null : decodeText(row.traceparent) },
    ]),
  );
  return wanted.map((id) => found.get(id));
}
