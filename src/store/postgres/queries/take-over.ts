/**
 * Takes executions over: a new claim at the next seq fences the former holder. A parked one becomes due now.
 *
 * One statement for all; where another transaction has just changed a row, Postgres computes the new one from the newest
 * version. Events come by a second statement, only those that the answered inbox seq counts.
 *
 * The transaction does not wait for the disk: everything that depends on a lost take-over is lost with it. Nothing follows from it before a checkpoint is
 * on disk, and whatever is on disk has everything before it in the log there, too. Should the server crash in between, the new
 * owner's checkpoint finds another claim and is fenced, as if it had never taken over. (A wait less between due and call.)
 *
 * Guarantees: idempotent per claim; a claim of a process that lives is not counted against the execution; executions that are absent or have no due time are left out; the answer is what the new owner starts
 * from, unconsumed events included. Payload and events of an execution beyond the bounds are not even read.
 */
import type { LoadedExecution } from '../../../ports/store.ts';
import type { TakeOverBounds } from '../../../ports/store-bounds.ts';
import { loadedExecution, type InboxValues, type LoadedValues } from '../../stored-rows.ts';
import { textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { decodeText, encodeText } from '../columns/text-column.ts';

// A plan made while tables are empty must not begin anywhere but with the ids. So they stand twice; what an execution is
// pinned to is looked up row by row and not joined; and that it has a due time is asked in words that the index of due
// executions does not know. The setting lasts as long as the transaction, which is this statement.
const pinned = (column: string): string =>
  `(SELECT d.${column} FROM definition_body d WHERE d.no = e.body) AS ${column}`;

const sql = `
UPDATE execution e SET
  seq = CASE WHEN e.claim = i.claim THEN e.seq ELSE e.seq + 1 END,
  claims = CASE WHEN e.claim = i.claim OR (e.claims > 0 AND regexp_replace(e.claim, '/[^/]*$', '') = ANY ($4::text[]))
    THEN e.claims ELSE e.claims + 1 END,
  claim = i.claim,
  due_at = least(e.due_at, $3)
FROM unnest($1::uuid[], $2::text[]) AS i (id, claim)
WHERE e.id = ANY ($1::uuid[]) AND e.id = i.id AND coalesce(e.due_at, -1) <> -1 AND (e.claims < $5 OR e.claim = i.claim)
RETURNING e.id, e.slot, ${['name', 'version', 'hash'].map((column) => pinned(column)).join(', ')},
  CASE WHEN e.claims <= $6 AND octet_length(e.payload) <= $7 THEN e.payload ELSE '' END AS payload,
  CASE WHEN e.claims <= $6 AND octet_length(e.payload) > $7 THEN octet_length(e.payload) END AS "payloadBytes", e.labels,
  e.traceparent, e.created_at AS "createdAt", e.seq, e.inbox_seq AS "inboxSeq", e.claims, e.due_at AS "dueAt", e.state,
  set_config('synchronous_commit', 'off', true) AS "isQuiet"`;

const inboxSql = `
SELECT execution, position, id, at, event FROM inbox
WHERE execution = ANY ($1::uuid[]) AND event IS NOT NULL
ORDER BY execution, position`;

type Row = Omit<LoadedValues, 'inbox'> & { readonly isQuiet?: string };

interface EventRow extends InboxValues {
  readonly execution: string;
  readonly position: number;
}

/** More claims than any execution has, and more bytes than any payload. */
const unbounded = 2_147_483_647;

/** The statement that takes over a batch in which no id is twice. */
export function takeOverStatement(
  claims: readonly { readonly id: string; readonly claim: string }[],
  now: number,
  live: readonly string[],
  { below = unbounded, wholeUpTo = unbounded, maxPayloadBytes = unbounded }: TakeOverBounds = {},
): Statement {
  const tokens = claims.map(({ claim }) => encodeText(claim));
  const values = [
    uuidArray(claims.map(({ id }) => id)),
    textArray(tokens),
    now,
    textArray(live.map((process) => encodeText(process))),
    ...[below, wholeUpTo, maxPayloadBytes].map((bound) => Math.min(bound, unbounded)),
  ];
  return { name: 'take-over', text: sql, values };
}

/** Takes over a batch in which no id is twice, in the order of ids; answers those that can be taken over. */
export async function takeOver(
  connections: Connections,
  claims: readonly { readonly id: string; readonly claim: string }[],
  now: number,
  live: readonly string[],
  bounds: TakeOverBounds,
): Promise<readonly LoadedExecution[]> {
  const { wholeUpTo = unbounded } = bounds;
  const rows = await connections.query<Row>('short', takeOverStatement(claims, now, live, bounds));
  const withEvents = rows.filter((row) => row.inboxSeq > 0 && row.claims <= wholeUpTo);
  const events = await readEvents(connections, withEvents);
  return rows.map(({ isQuiet: _setting, ...row }) =>
    loadedExecution({
      ...row,
      name: decodeText(row.name),
      version: decodeText(row.version),
      hash: decodeText(row.hash),
      traceparent: row.traceparent === null ? null : decodeText(row.traceparent),
      inbox: events.get(row.id) ?? [],
    }),
  );
}

async function readEvents(connections: Connections, rows: readonly Row[]): Promise<Map<string, InboxValues[]>> {
  const byId = new Map<string, InboxValues[]>(rows.map(({ id }) => [id, []]));
  if (rows.length === 0) return byId;
  const inboxSeqs = new Map(rows.map(({ id, inboxSeq }) => [id, inboxSeq]));
  const events = await connections.query<EventRow>('short', {
    name: 'take-over-inbox',
    text: inboxSql,
    values: [uuidArray(rows.map(({ id }) => id))],
  });
  for (const { execution, position, id, at, event } of events) {
    // What was accepted since counts for the next one who looks.
    if (position <= (inboxSeqs.get(execution) ?? 0)) byId.get(execution)?.push({ id: decodeText(id), at, event });
  }
  return byId;
}
