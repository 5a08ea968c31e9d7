/**
 * Changes an execution (retry, resolve, redelivery of its hook) if it is terminal and at the expected seq. The change fences
 * the former owner and removes the claim.
 *
 * Guarantees: repeating the latest change returns true and writes nothing, even after a worker has taken over.
 */
import { terminalStatuses } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { appendHistory } from './append-history.ts';
import { auditWriter } from './audit.ts';
import { setSummary } from './set-summary.ts';
import { tells } from './tells.ts';

const selectSql = `
SELECT e.no, r.seq, r.change, e.status
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ?`;

const updateSql = `
UPDATE run SET seq = ?, claim = NULL, claims = 0, change = ?, updated_at = ?, state = ? WHERE execution = ?`;

const terminal: ReadonlySet<string> = new Set(terminalStatuses);

/** Prepares it. */
export function changeTerminal(session: Session): Operations['changeTerminal'] {
  const select = session.one<{ no: number; seq: number; change: string | null; status: string }>(selectSql);
  const isOpen = session.one('SELECT 1 FROM execution WHERE id = ? AND completed_at IS NULL');
  const update = session.write(updateSql);
  const append = appendHistory(session);
  const summarize = setSummary(session);
  const tell = tells(session);
  const writeAudit = auditWriter(session);
  return (x) => {
    const row = select(x.id);
    if (row === undefined) return false;
    if (row.change === x.writeId) return true;
    if (!terminal.has(row.status) || row.seq !== x.seq) return false;
    if (x.ifRootOver !== null && isOpen(x.ifRootOver) !== undefined) return 'root_open';
    update(x.seq + 1, x.writeId, x.updatedAt, x.state, row.no);
    append(row.no, x.steps, x.calls, x.undo);
    summarize(row.no, x.summary, x.maybeStanding, x.dueAt);
    tell(row.no, x.tells);
    writeAudit(x.audit);
    return true;
  };
}
