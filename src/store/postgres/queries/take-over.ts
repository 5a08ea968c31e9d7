import type { LoadedExecution } from '../../../ports/store.ts';
import type { TakeOverBounds } from '../../../ports/store-bounds.ts';
import { loadedExecution, type InboxValues, type LoadedValues } from '../../stored-rows.ts';
import { textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { decodeText, encodeText } from '../columns/text-column.ts';
import { isLookedUp } from './looked-up.ts';

// Even a plan made while the tables are empty must begin with the ids. So the pinned definition is looked up row by row, and the
// condition on due_at does not match the index of due executions.
// set_config lasts until the end of the transaction, which is this statement.
const sql = `
WITH taken AS (
UPDATE execution e SET
  seq = CASE WHEN e.claim = i.claim THEN e.seq ELSE e.seq + 1 END,
  claims = CASE WHEN e.claim = i.claim OR (e.claims > 0 AND regexp_replace(e.claim, '/[^/]*$', '') = ANY ($4::text[]))
    THEN e.claims ELSE e.claims + 1 END,
  claim = i.claim,
  due_at = least(e.due_at, $3)
FROM unnest($1::uuid[], $2::text[]) AS i (id, claim)
WHERE ${isLookedUp('e.id', 'i.id')} AND coalesce(e.due_at, -1) <> -1 AND (e.claims < $5 OR e.claim = i.claim)
RETURNING e.id, e.slot, e.body,
  CASE WHEN e.claims <= $6 AND octet_length(e.payload) <= $7 THEN e.payload ELSE '' END AS payload,
  CASE WHEN e.claims <= $6 AND octet_length(e.payload) > $7 THEN octet_length(e.payload) END AS "payloadBytes", e.labels,
  e.traceparent, e.created_at AS "createdAt", e.seq, e.inbox_seq AS "inboxSeq", e.claims, e.due_at AS "dueAt", e.state,
  e.parent, e.root, e.link,
  set_config('synchronous_commit', 'off', true) AS "isQuiet"
)
SELECT taken.*, d.* FROM taken CROSS JOIN LATERAL (
  SELECT name, version, hash FROM definition_body WHERE no = taken.body OFFSET 0
) d`;

const inboxSql = `
SELECT i.execution, b.position, b.id, b.at, b.event FROM unnest($1::uuid[]) AS i (execution) CROSS JOIN LATERAL (
  SELECT position, id, at, event FROM inbox WHERE execution = i.execution AND event IS NOT NULL ORDER BY position OFFSET 0
) b`;

type Row = Omit<LoadedValues, 'inbox'> & { readonly body?: number; readonly isQuiet?: string };

interface EventRow extends InboxValues {
  readonly execution: string;
  readonly position: number;
}

/** Exceeds the claims of any execution and the bytes of any payload. */
const unbounded = 2_147_483_647;

/** The statement that takes over a batch of distinct ids. */
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

/**
 * Takes over a batch of distinct ids, sorted by id, in one statement: a new claim at the next seq fences the former owner. If
 * another transaction has just changed a row, Postgres computes the new row from the newest version. A second statement reads
 * the events that the returned inbox seq counts.
 *
 * The commit does not wait for the disk, which saves one wait between due time and call. If the server crashes and loses the
 * take-over, it also loses everything written later, because the log is sequential. The new owner's checkpoint then finds
 * another claim and is fenced.
 *
 * Guarantees: idempotent per claim; a claim of a live process is not counted against the execution; executions that are absent
 * or have no due time are left out; the result includes all unconsumed events. The payload and events of an execution beyond
 * the bounds are not read.
 */
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
  return rows.map(({ body: _body, isQuiet: _setting, ...row }) =>
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
    // Later events belong to the next read.
    if (position <= (inboxSeqs.get(execution) ?? 0)) byId.get(execution)?.push({ id: decodeText(id), at, event });
  }
  return byId;
}
