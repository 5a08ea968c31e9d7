import { admit } from '../../../core/admission.ts';
import type { State } from '../../../core/state.ts';
import type { Offer, OfferResult } from '../../../ports/store.ts';
import { isExpected, type Revision } from '../../../ports/store/revision.ts';
import { acceptedOf } from '../../holder.ts';
import { decodeState, encode } from '../../row-text.ts';
import { boolArray, int8Array, textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session } from '../connection/session.ts';
import { executionId } from '../columns/execution-id.ts';
import { contended } from '../gathered.ts';
import { int8 } from '../columns/history-columns.ts';
import { decodeText, encodeText } from '../columns/text-column.ts';
import { auditStatement } from './audit.ts';
import { isLookedUp } from './looked-up.ts';

const lockSql = `
SELECT e.id, e.state, e.claim, e.seq, e.inbox_seq AS "inboxSeq" FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')}
ORDER BY i.id FOR NO KEY UPDATE OF e SKIP LOCKED`;

const thereSql = `SELECT e.id FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')}`;

const seenSql = `
SELECT q.execution, s.id, s.nonce, s.body_hash AS "bodyHash", s.pending
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS q (execution, id, nonce)
CROSS JOIN LATERAL (
  SELECT position, id, nonce, body_hash, pending FROM inbox
  WHERE execution = q.execution AND (id = q.id OR nonce = q.nonce) OFFSET 0
) s
ORDER BY s.position`;

const appendSql = `
WITH bumped AS (
  UPDATE execution e SET inbox_seq = e.inbox_seq + 1, due_at = CASE WHEN e.due_at > i.due THEN i.due ELSE e.due_at END
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bool[], $7::text[], $8::bigint[])
    AS i (execution, id, at, nonce, body_hash, pending, event, due)
  WHERE ${isLookedUp('e.id', 'i.execution')} RETURNING i.*, e.inbox_seq
)
INSERT INTO inbox (execution, position, id, at, nonce, body_hash, pending, event)
SELECT execution, inbox_seq, id, at, nonce, body_hash, pending, event FROM bumped`;

/** An offer, encoded for the statements. */
export interface OfferValues {
  readonly source: Offer;
  /** The execution's new due time. */
  readonly now: number;
  readonly id: string;
  readonly nonce: string | null;
  readonly bodyHash: string | null;
  readonly pending: boolean;
  readonly event: string;
}

interface LockedRow extends Revision {
  readonly id: string;
  readonly state: string;
  readonly claim: string | null;
}

interface SeenRow {
  readonly execution: string;
  readonly id: string;
  readonly nonce: string | null;
  readonly bodyHash: string | null;
  readonly pending: boolean;
}

/** Throws a TypeError when something in it cannot be stored. */
export function offerValues(x: Offer, now: number): OfferValues {
  const { event, at, id } = x.row;
  const callback = event.type === 'callback' ? event : undefined;
  executionId(x.executionId);
  int8(at);
  int8(now);
  return {
    source: x,
    now,
    id: encodeText(id),
    nonce: callback === undefined ? null : encodeText(callback.nonce),
    bodyHash: callback === undefined ? null : encodeText(x.bodyHash ?? ''),
    pending: callback?.pending === true,
    event: encode(event),
  };
}

/**
 * Offers events to the inboxes of distinct executions, sorted by id, in one transaction. The core decides by the stored state;
 * for an accepted event the transaction appends it, increments the inbox seq and makes the execution due now.
 *
 * The transaction locks the rows until it ends, so a checkpoint comes either before it (the decision sees its state) or after
 * it (the checkpoint sees the new inbox seq). It does not wait for locks: the result for a row that another transaction has
 * locked is `contended`, nothing is written, and {@link Gathered} offers the event again.
 *
 * Guarantees: the audit entry is written in the same transaction; an event id accepted before is `accepted` again and changes
 * nothing; all other results write nothing.
 *
 * Throws the server's error when a value cannot be stored.
 */
export function offer(
  connections: Connections,
  batch: readonly OfferValues[],
): Promise<readonly (OfferResult | typeof contended)[]> {
  return connections.transaction('short', async (session) => {
    const executions = uuidArray(batch.map(({ source }) => source.executionId));
    const locked = await session.query<LockedRow>({
      name: 'offer-lock',
      text: lockSql,
      values: [executions],
    });
    const rows = new Map(locked.map((row) => [row.id, row]));
    const there = await findSkipped(session, batch, rows);
    const seen = await session.query<SeenRow>({
      name: 'offer-seen',
      text: seenSql,
      values: [executions, textArray(batch.map(({ id }) => id)), textArray(batch.map(({ nonce }) => nonce))],
    });
    const append: OfferValues[] = [];
    const results = batch.map((x): OfferResult | typeof contended => {
      const { executionId: execution } = x.source;
      const row = rows.get(execution);
      if (row === undefined) return there.has(execution) ? contended : { kind: 'unknown' };
      const before = seen.filter((other) => other.execution === execution);
      if (before.some(({ id }) => id === x.id)) return { kind: 'accepted' };
      if (!isExpected(row, x.source.expected)) return { kind: 'changed' };
      const state = decodeState(row.state);
      const answer = decide(x, state, before);
      if (answer.kind !== 'accepted') return answer;
      append.push(x);
      return acceptedOf(state, row.claim === null ? null : decodeText(row.claim), answer);
    });
    if (append.length > 0) await appendAll(session, append);
    return results;
  });
}

/** The executions of a batch that exist but that this transaction could not lock. */
async function findSkipped(
  session: Session,
  batch: readonly OfferValues[],
  locked: ReadonlyMap<string, LockedRow>,
): Promise<ReadonlySet<string>> {
  const missing = batch.map(({ source }) => source.executionId).filter((id) => !locked.has(id));
  if (missing.length === 0) return new Set();
  const there = await session.query<{ id: string }>({
    name: 'offer-there',
    text: thereSql,
    values: [uuidArray(missing)],
  });
  return new Set(there.map(({ id }) => id));
}

function decide({ source, bodyHash }: OfferValues, state: State, seen: readonly SeenRow[]): OfferResult {
  const same = seen.map((other) => ({
    nonce: decodeText(other.nonce ?? ''),
    bodyHash: decodeText(other.bodyHash ?? ''),
    pending: other.pending,
  }));
  const callback = bodyHash === null ? undefined : { bodyHash: source.bodyHash ?? '', seen: same };
  return admit(state, source.row.event, callback);
}

async function appendAll(session: Session, batch: readonly OfferValues[]): Promise<void> {
  const values = [
    uuidArray(batch.map(({ source }) => source.executionId)),
    textArray(batch.map(({ id }) => id)),
    int8Array(batch.map(({ source }) => source.row.at)),
    textArray(batch.map(({ nonce }) => nonce)),
    textArray(batch.map(({ bodyHash }) => bodyHash)),
    boolArray(batch.map(({ pending }) => pending)),
    textArray(batch.map(({ event }) => event)),
    int8Array(batch.map(({ now }) => now)),
  ];
  await session.query({ name: 'offer-append', text: appendSql, values });
  for (const { source } of batch) {
    if (source.audit !== undefined) await session.query(auditStatement(source.audit));
  }
}
