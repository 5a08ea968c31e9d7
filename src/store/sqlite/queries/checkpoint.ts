/**
 * Writes checkpoints: state, history and consumed events of each, if its claim and seq still hold.
 *
 * Guarantees: a row at the next seq under the same claim was written by this very checkpoint (`written`, nothing twice);
 * another claim or seq is `fenced`; a given inbox seq that differs is `inbox` with the events. None of these writes
 * anything.
 */
import type { SummaryValues } from '../../stored-rows.ts';
import type { CheckpointAnswer, CheckpointValues, Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { appendHistory } from './append-history.ts';
import { setSummary } from './set-summary.ts';
import { waitingInbox } from './waiting-inbox.ts';

const selectSql = `
SELECT e.no, r.seq, r.inbox_seq AS inboxSeq, r.claim, r.claims, e.due_at AS dueAt, e.standing, e.status, e.round,
  e.started_at AS startedAt, e.completed_at AS completedAt, e.reason, e.failed_node_id AS failedNodeId,
  e.failure_description AS failureDescription, e.callback_warning AS callbackWarning, e.callback_keys AS callbackKeys
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ?`;

const updateSql = 'UPDATE run SET seq = ?, claims = ?, updated_at = ?, state = ? WHERE execution = ?';

const consumeSql = 'UPDATE inbox SET event = NULL WHERE execution = ? AND id = ?';

interface Row {
  readonly no: number;
  readonly seq: number;
  readonly inboxSeq: number;
  readonly claim: string | null;
  readonly claims: number;
  readonly dueAt: number | null;
  readonly standing: number;
  readonly status: string;
  readonly round: number;
  readonly startedAt: number;
  readonly completedAt: number | null;
  readonly reason: string | null;
  readonly failedNodeId: string | null;
  readonly failureDescription: string | null;
  readonly callbackWarning: string | null;
  readonly callbackKeys: string | null;
}

function isSummary(row: Row, summary: SummaryValues): boolean {
  return (
    row.status === summary[0] &&
    row.round === summary[1] &&
    row.startedAt === summary[2] &&
    row.completedAt === summary[3] &&
    row.reason === summary[4] &&
    row.failedNodeId === summary[5] &&
    row.failureDescription === summary[6] &&
    row.callbackWarning === summary[7] &&
    row.callbackKeys === summary[8]
  );
}

/** Prepares it. */
export function checkpoint(session: Session): Operations['checkpoint'] {
  const select = session.one<Row>(selectSql);
  const update = session.write(updateSql);
  const consume = session.write(consumeSql);
  const append = appendHistory(session);
  const summarize = setSummary(session);
  const waiting = waitingInbox(session);

  function write(x: CheckpointValues): CheckpointAnswer {
    const [id, claim, seq, inboxSeq, state, updatedAt, summary, maybeStanding, dueAt, claims] = x;
    const [, , , , , , , , , , steps, calls, undo, consumed] = x;
    const row = select(id);
    if (row === undefined || row.claim !== claim) return { kind: 'fenced' };
    if (row.seq === seq + 1) return { kind: 'written', inboxSeq: row.inboxSeq };
    if (row.seq !== seq) return { kind: 'fenced' };
    if (inboxSeq !== null && row.inboxSeq !== inboxSeq) {
      return { kind: 'inbox', inboxSeq: row.inboxSeq, inbox: waiting(row.no) };
    }
    update(seq + 1, claims ?? row.claims, updatedAt, state, row.no);
    append(row.no, steps, calls, undo);
    for (const eventId of consumed) consume(row.no, eventId);
    const due = dueAt === undefined ? row.dueAt : dueAt;
    if (maybeStanding || due !== row.dueAt || row.standing > 0 || !isSummary(row, summary)) {
      summarize(row.no, summary, maybeStanding, due);
    }
    return { kind: 'written', inboxSeq: row.inboxSeq };
  }

  return (batch) => batch.map((x) => session.row(() => write(x)));
}
