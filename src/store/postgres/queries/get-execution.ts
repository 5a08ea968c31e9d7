/** One execution with its state and input, without its history. */
import type { DetailValues } from '../../stored-rows.ts';
import type { Connections } from '../connections.ts';
import { decodeText } from '../text-column.ts';
import { decodeRecord, recordColumns } from './record-columns.ts';

const sql = `
SELECT ${recordColumns}, e.payload, e.traceparent, e.seq, e.inbox_seq AS "inboxSeq", e.state
FROM execution e JOIN definition_body d ON d.no = e.body
WHERE e.id = $1`;

/** Reads it. */
export async function getExecution(connections: Connections, id: string): Promise<DetailValues | undefined> {
  const [row] = await connections.query<DetailValues>('short', { name: 'get-execution', text: sql, values: [id] });
  if (row === undefined) return undefined;
  return { ...decodeRecord(row), traceparent: row.traceparent === null ? null : decodeText(row.traceparent) };
}
