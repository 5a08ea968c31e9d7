/** Unconsumed events with the present inbox seq; seq 0 and none for an execution that does not exist. */
import type { InboxValues } from '../../stored-rows.ts';
import type { Connections } from '../connections.ts';
import { decodeText } from '../text-column.ts';

const sql = `
SELECT e.inbox_seq AS "inboxSeq", b.id, b.at, b.event
FROM execution e LEFT JOIN inbox b ON b.execution = e.id AND b.event IS NOT NULL
WHERE e.id = $1
ORDER BY b.position`;

interface Row {
  readonly inboxSeq: number;
  readonly id: string | null;
  readonly at: number;
  readonly event: string;
}

/** Reads them. */
export async function readInbox(
  connections: Connections,
  id: string,
): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxValues[] }> {
  const rows = await connections.query<Row>('short', { name: 'read-inbox', text: sql, values: [id] });
  return {
    inboxSeq: rows[0]?.inboxSeq ?? 0,
    inbox: rows.flatMap((row) => (row.id === null ? [] : [{ id: decodeText(row.id), at: row.at, event: row.event }])),
  };
}
