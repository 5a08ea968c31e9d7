/**
 * Offers an event to an execution's inbox: the core decides by the stored state; an accepted one is appended, the inbox seq
 * goes up and the execution is due now.
 *
 * The row is locked from the decision to the end of the transaction, so a checkpoint either comes before (then the decision
 * saw its state) or after (then it sees the new inbox seq).
 *
 * Guarantees: the audit entry is written in the same transaction; an event id accepted before is `accepted` again and changes nothing; other answers write nothing.
 */
import { admit } from '../../../core/admission.ts';
import type { Offer, OfferResult } from '../../../ports/store.ts';
import { decodeState, encode } from '../../row-text.ts';
import type { Connections } from '../connections.ts';
import { int8 } from '../history-columns.ts';
import { decodeText, encodeText } from '../text-column.ts';
import { auditStatement } from './audit.ts';

const lockSql = 'SELECT state FROM execution WHERE id = $1 FOR NO KEY UPDATE';

const seenSql = `
SELECT id, nonce, body_hash AS "bodyHash", pending FROM inbox WHERE execution = $1 AND (id = $2 OR nonce = $3)
ORDER BY position`;

const appendSql = `
WITH bumped AS (
  UPDATE execution SET inbox_seq = inbox_seq + 1, due_at = CASE WHEN due_at > $8 THEN $8 ELSE due_at END
  WHERE id = $1 RETURNING inbox_seq
)
INSERT INTO inbox (execution, position, id, at, nonce, body_hash, pending, event)
SELECT $1, inbox_seq, $2, $3, $4, $5, $6, $7 FROM bumped`;

interface SeenRow {
  readonly id: string;
  readonly nonce: string | null;
  readonly bodyHash: string | null;
  readonly pending: boolean;
}

/** Offers it; `now` is what the execution becomes due at. Throws the server's error where a value cannot be stored. */
export function offer(connections: Connections, x: Offer, now: number): Promise<OfferResult> {
  const { event } = x.row;
  const text = encode(event);
  const callback = event.type === 'callback' ? event : undefined;
  const nonce = callback && encodeText(callback.nonce);
  const id = encodeText(x.row.id);
  int8(x.row.at);
  return connections.transaction('short', async (session): Promise<OfferResult> => {
    const [row] = await session.query<{ state: string }>({
      name: 'offer-lock',
      text: lockSql,
      values: [x.executionId],
    });
    if (row === undefined) return { kind: 'unknown' };
    const values = [x.executionId, id, nonce ?? null];
    const seen = await session.query<SeenRow>({ name: 'offer-seen', text: seenSql, values });
    if (seen.some((other) => other.id === id)) return { kind: 'accepted' };
    const same = seen.map((other) => ({
      nonce: decodeText(other.nonce ?? ''),
      bodyHash: decodeText(other.bodyHash ?? ''),
      pending: other.pending,
    }));
    const answer = admit(decodeState(row.state), event, callback && { bodyHash: x.bodyHash ?? '', seen: same });
    if (answer.kind !== 'accepted') return answer;
    const bodyHash = callback ? encodeText(x.bodyHash ?? '') : null;
    await session.query({
      name: 'offer-append',
      text: appendSql,
      values: [x.executionId, id, x.row.at, nonce ?? null, bodyHash, callback?.pending === true, text, now],
    });
    if (x.audit !== undefined) await session.query(auditStatement(x.audit));
    return answer;
  });
}
