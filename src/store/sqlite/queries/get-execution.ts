/** One execution with its state, with its input or without, without its history. */
import type { DetailValues, ProgressValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { recordColumns } from './record-columns.ts';

const columns = `${recordColumns}, i.traceparent, r.seq, r.inbox_seq AS inboxSeq, r.state`;

const sql = (selected: string): string => `
SELECT ${selected}
FROM execution e
JOIN run r ON r.execution = e.no
JOIN input i ON i.execution = e.no
JOIN definition_body b ON b.no = e.body
WHERE e.id = ?`;

/** Prepares the one with its input. */
export function getExecution(session: Session): Operations['getExecution'] {
  const select = session.one<DetailValues>(sql(`${columns}, i.payload`));
  return (id) => {
    const row = select(id);
    return row && { ...row };
  };
}

/** Prepares the one without it. */
export function getProgress(session: Session): Operations['getProgress'] {
  const select = session.one<ProgressValues>(sql(columns));
  return (id) => {
    const row = select(id);
    return row && { ...row };
  };
}
