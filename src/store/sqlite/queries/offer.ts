/**
 * Offers an event to an execution's inbox: the core decides by the stored state; an accepted one is appended, the inbox seq
 * goes up and the execution is due now.
 *
 * Guarantees: one transaction, the audit entry included; an event id accepted before is `accepted` again and changes nothing; other answers write
 * nothing.
 */
import { admit } from '../../../core/admission.ts';
import { decodeEvent, decodeState } from '../../row-text.ts';
import { isExpected, type Revision } from '../../../ports/store/revision.ts';
import { acceptedOf } from '../../holder.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { auditWriter } from './audit.ts';

const selectSql = `
SELECT e.no, e.due_at AS dueAt, r.state, r.claim, r.seq, r.inbox_seq AS inboxSeq
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ?`;

const findSql = 'SELECT 1 FROM inbox WHERE execution = ? AND id = ?';

const seenSql = `
SELECT nonce, body_hash AS bodyHash, pending FROM inbox WHERE execution = ? AND nonce = ? ORDER BY position`;

const insertSql = `
INSERT INTO inbox (execution, id, at, nonce, body_hash, pending, event) VALUES (?, ?, ?, ?, ?, ?, ?)`;

const bumpSql = 'UPDATE run SET inbox_seq = inbox_seq + 1 WHERE execution = ?';

const dueSql = 'UPDATE execution SET due_at = ? WHERE no = ?';

interface OfferedRow extends Revision {
  readonly no: number;
  readonly dueAt: number | null;
  readonly state: string;
  readonly claim: string | null;
}

/** Prepares it. */
export function offer(session: Session): Operations['offer'] {
  const select = session.one<OfferedRow>(selectSql);
  const find = session.one(findSql);
  const seenOf = session.all<{ nonce: string; bodyHash: string; pending: number }>(seenSql);
  const insert = session.write(insertSql);
  const bump = session.write(bumpSql);
  const setDue = session.write(dueSql);
  const writeAudit = auditWriter(session);
  return (x, now) => {
    const row = select(x.executionId);
    if (row === undefined) return { kind: 'unknown' };
    if (find(row.no, x.id) !== undefined) return { kind: 'accepted' };
    if (!isExpected(row, x.expected)) return { kind: 'changed' };
    const event = decodeEvent(x.event);
    const callback = event.type === 'callback' ? event : undefined;
    const state = decodeState(row.state);
    const answer = admit(
      state,
      event,
      callback && {
        bodyHash: x.bodyHash ?? '',
        seen: seenOf(row.no, callback.nonce).map((seen) => ({ ...seen, pending: seen.pending === 1 })),
      },
    );
    if (answer.kind !== 'accepted') return answer;
    const pending = callback?.pending === true ? 1 : 0;
    insert(row.no, x.id, x.at, callback?.nonce ?? null, callback ? (x.bodyHash ?? '') : null, pending, x.event);
    bump(row.no);
    if (row.dueAt !== null && row.dueAt > now) setDue(now, row.no);
    writeAudit(x.audit);
    return acceptedOf(state, row.claim, answer);
  };
}
