/**
 * Takes executions over: a new claim at the next seq fences the former owner. A parked execution becomes due now.
 *
 * Guarantees: idempotent per claim; a claim of a live process is not counted against the execution; executions that are absent
 * or have no due time are left out; the result includes all unconsumed events. The payload and events of an execution beyond
 * the bounds are not read.
 */
import { processOf } from '../../../ports/queue.ts';
import type { LoadedValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { waitingInbox } from './waiting-inbox.ts';

const selectSql = `
SELECT e.no, e.id, e.slot, e.name, e.version, b.hash, e.labels, e.created_at AS createdAt, e.due_at AS dueAt,
  r.seq, r.inbox_seq AS inboxSeq, r.claim, r.claims, r.state, i.traceparent, e.parent, e.root, e.link
FROM execution e
JOIN run r ON r.execution = e.no
JOIN input i ON i.execution = e.no
JOIN definition_body b ON b.no = e.body
WHERE e.id = ? AND e.due_at IS NOT NULL`;

const payloadSql = `
SELECT CASE WHEN octet_length(payload) <= ?2 THEN payload ELSE '' END AS payload,
  CASE WHEN octet_length(payload) > ?2 THEN octet_length(payload) END AS payloadBytes
FROM input WHERE execution = ?1`;

const claimSql = 'UPDATE run SET seq = ?, claim = ?, claims = ? WHERE execution = ?';

const dueSql = 'UPDATE execution SET due_at = ? WHERE no = ?';

interface Row extends Omit<LoadedValues, 'inbox' | 'payload' | 'payloadBytes'> {
  readonly no: number;
  readonly claim: string | null;
}

const noPayload = { payload: '', payloadBytes: null };

/** Prepares it. */
export function takeOver(session: Session): Operations['takeOver'] {
  const select = session.one<Row>(selectSql);
  const payload = session.one<Pick<LoadedValues, 'payload' | 'payloadBytes'>>(payloadSql);
  const setClaim = session.write(claimSql);
  const setDue = session.write(dueSql);
  const inbox = waitingInbox(session);
  return (claims, now, live, { below = Infinity, wholeUpTo = Infinity, maxPayloadBytes = Number.MAX_SAFE_INTEGER }) => {
    const loaded: LoadedValues[] = [];
    for (const { id, claim } of claims) {
      const found = select(id);
      if (found === undefined) continue;
      const { no, claim: holder, ...row } = found;
      const again = holder === claim;
      if (!again && row.claims >= below) continue;
      const seq = again ? row.seq : row.seq + 1;
      const isOfLive = holder !== null && row.claims > 0 && live.includes(processOf(holder));
      const count = again || isOfLive ? row.claims : row.claims + 1;
      const dueAt = Math.min(row.dueAt, now);
      if (!again) setClaim(seq, claim, count, no);
      if (dueAt < row.dueAt) setDue(dueAt, no);
      const isWhole = count <= wholeUpTo;
      loaded.push({
        ...row,
        seq,
        claims: count,
        dueAt,
        ...((isWhole ? payload(no, maxPayloadBytes) : undefined) ?? noPayload),
        inbox: isWhole && row.inboxSeq > 0 ? inbox(no) : [],
      });
    }
    return loaded;
  };
}
