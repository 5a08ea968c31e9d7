/** The claims of executions that have a due time. */
import type { ClaimValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = `
SELECT e.id, r.claim, r.seq, r.inbox_seq AS inboxSeq
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ? AND e.due_at IS NOT NULL`;

/** Prepares it. */
export function readClaims(session: Session): Operations['readClaims'] {
  const select = session.one<ClaimValues>(sql);
  return (ids) => ids.flatMap((id) => select(id) ?? []);
}
