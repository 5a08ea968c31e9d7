import type { InboxValues } from '../../stored-rows.ts';
import { uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import { executionId } from '../columns/execution-id.ts';
import { decodeText } from '../columns/text-column.ts';

// One statement, so that inbox seq and events are from the same snapshot.
const sql = `
SELECT q.nr::int AS nr, e.inbox_seq AS "inboxSeq", b.id, b.at, b.event
FROM unnest($1::uuid[]) WITH ORDINALITY AS q (execution, nr)
CROSS JOIN LATERAL (SELECT inbox_seq FROM execution WHERE id = q.execution OFFSET 0) e
LEFT JOIN LATERAL (
  SELECT position, id, at, event FROM inbox WHERE execution = q.execution AND event IS NOT NULL OFFSET 0
) b ON true
ORDER BY q.nr, b.position`;

interface Row {
  /** Number of the query, from 1. */
  readonly nr: number;
  readonly inboxSeq: number;
  readonly id: string | null;
  readonly at: number;
  readonly event: string;
}

/** An inbox as stored. */
export interface StoredInbox {
  readonly inboxSeq: number;
  readonly inbox: readonly InboxValues[];
}

/** Reads unconsumed events and the current inbox seq of many executions; seq 0 and no events for one that does not exist. */
export async function readInbox(connections: Connections, ids: readonly string[]): Promise<readonly StoredInbox[]> {
  const rows = await connections.query<Row>('short', {
    name: 'read-inbox',
    text: sql,
    values: [uuidArray(ids.map((id) => executionId(id)))],
  });
  const found = ids.map((): { inboxSeq: number; inbox: InboxValues[] } => ({ inboxSeq: 0, inbox: [] }));
  for (const { nr, inboxSeq, id, at, event } of rows) {
    const inbox = found[nr - 1];
    if (inbox === undefined) continue;
    inbox.inboxSeq = inboxSeq;
    if (id !== null) inbox.inbox.push({ id: decodeText(id), at, event });
  }
  return found;
}
