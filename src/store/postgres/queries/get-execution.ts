import type { DetailValues, ProgressValues } from '../../stored-rows.ts';
import { uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { executionId } from '../columns/execution-id.ts';
import { decodeText } from '../columns/text-column.ts';
import { isLookedUp } from './looked-up.ts';
import { decodeRecord, recordColumns } from './record-columns.ts';

// LATERAL looks the pinned definition up row by row, so that even a plan made while the tables were empty reads no other rows.
const sql = (columns: string): string => `
SELECT ${recordColumns}, e.traceparent, e.seq, e.inbox_seq AS "inboxSeq", e.state${columns}
FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')} CROSS JOIN LATERAL (
  SELECT name, version, hash FROM definition_body WHERE no = e.body OFFSET 0
) d`;

const detailStatement = { name: 'get-execution', text: sql(', e.payload') };
const progressStatement = { name: 'get-progress', text: sql('') };

/** Reads executions with state and payload, in the order of the ids; undefined for those that do not exist. */
export function getExecutions(
  connections: Connections,
  ids: readonly string[],
): Promise<readonly (DetailValues | undefined)[]> {
  return read<DetailValues>(connections, detailStatement, ids);
}

/** Reads executions with state, without payload, in the order of the ids; undefined for those that do not exist. */
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
