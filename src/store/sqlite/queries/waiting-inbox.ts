/** Unconsumed events of an execution, in the order in which they were accepted. */
import type { InboxValues } from '../../stored-rows.ts';
import type { Session } from '../session.ts';

const sql = 'SELECT id, at, event FROM inbox WHERE execution = ? AND event IS NOT NULL ORDER BY position';

/** Prepares it; `execution` is the execution's number. */
export function waitingInbox(session: Session): (execution: number) => readonly InboxValues[] {
  const select = session.all<InboxValues>(sql);
  // Plain objects cross threads; what SQLite gives has no prototype.
  return (execution) => select(execution).map((row) => ({ ...row }));
}
