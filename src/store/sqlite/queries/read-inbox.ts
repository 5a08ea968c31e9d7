/** Unconsumed events with the present inbox seq; seq 0 and none for an execution that does not exist. */
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { waitingInbox } from './waiting-inbox.ts';

const sql = `
SELECT r.execution AS no, r.inbox_seq AS inboxSeq
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ?`;

/** Prepares it. */
export function readInbox(session: Session): Operations['readInbox'] {
  const select = session.one<{ no: number; inboxSeq: number }>(sql);
  const inbox = waitingInbox(session);
  return (id) => {
    const row = select(id);
    return row === undefined ? { inboxSeq: 0, inbox: [] } : { inboxSeq: row.inboxSeq, inbox: inbox(row.no) };
  };
}
