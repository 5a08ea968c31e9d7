/** One execution with its state and input, without its history. */
import type { DetailValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { recordColumns } from './record-columns.ts';

const sql = `
SELECT ${recordColumns}, i.payload, i.traceparent, r.seq, r.inbox_seq AS inboxSeq, r.state
FROM execution e
JOIN run r ON r.execution = e.no
JOIN input i ON i.execution = e.no
JOIN definition_body b ON b.no = e.body
WHERE e.id = ?`;

/** Prepares it. */
export function getExecution(session: Session): Operations['getExecution'] {
  const select = session.one<DetailValues>(sql);
  return (id) => {
    const row = select(id);
    return row && { ...row };
  };
}
