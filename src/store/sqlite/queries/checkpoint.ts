/**
 * Writes checkpoints: state, history and consumed events of each, if its claim and seq still hold.
 *
 * Guarantees: a row at the next seq under the same claim was written by this same checkpoint (`written`, nothing twice);
 * another claim or seq is `fenced`; a given inbox seq that differs is `inbox` with the events. None of these writes
 * anything.
 */
import type { SummaryValues } from '../../stored-rows.ts';
import type { CheckpointAnswer, CheckpointValues, Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { appendHistory } from './append-history.ts';
import { setSummary } from './set-summary.ts';
import { tells } from './tells.ts';
import { terminateChildren } from './terminate-children.ts';
import { waitingInbox } from './waiting-inbox.ts';

/** The columns of {@link SummaryValues} come last, in their order. */
const selectSql = `
SELECT e.no, r.seq, r.inbox_seq, r.claim, r.claims, e.due_at, e.standing, e.status, e.round, e.started_at, e.completed_at, e.reason,
  e.failed_node_id, e.failure_description, e.callback_warning, e.callback_keys
FROM execution e JOIN run r ON r.execution = e.no
WHERE e.id = ?`;

const updateSql = 'UPDATE run SET seq = ?, claims = ?, updated_at = ?, state = ? WHERE execution = ?';

const consumeSql = 'UPDATE inbox SET event = NULL WHERE execution = ? AND id = ?';

type Row = readonly [
  no: number,
  seq: number,
  inboxSeq: number,
  claim: string | null,
  claims: number,
  dueAt: number | null,
  standing: number,
  ...summary: SummaryValues,
];

const summaryAt = 7;

function isSummary(row: Row, summary: SummaryValues): boolean {
  return summary.every((value, i) => value === row[summaryAt + i]);
}

/** Prepares it. */
export function checkpoint(session: Session): Operations['checkpoint'] {
  const select = session.oneList<Row>(selectSql);
  const update = session.write(updateSql);
  const consume = session.write(consumeSql);
  const append = appendHistory(session);
  const summarize = setSummary(session);
  const waiting = waitingInbox(session);
  const tell = tells(session);
  const terminate = terminateChildren(session);

  function write(x: CheckpointValues): CheckpointAnswer {
    const [id, claim, seq, inboxSeq, state, updatedAt, summary, maybeStanding, dueAt, claims] = x;
    const [, , , , , , , , , , steps, calls, undo, consumed, told] = x;
    const row = select(id);
    if (row === undefined) return { kind: 'fenced' };
    const [no, seqNow, inboxSeqNow, claimNow, claimsNow, dueAtNow, standing] = row;
    if (claimNow !== claim) return { kind: 'fenced' };
    if (seqNow === seq + 1) return { kind: 'written', inboxSeq: inboxSeqNow };
    if (seqNow !== seq) return { kind: 'fenced' };
    if (inboxSeq !== null && inboxSeqNow !== inboxSeq) {
      return { kind: 'inbox', inboxSeq: inboxSeqNow, inbox: waiting(no) };
    }
    update(seq + 1, claims ?? claimsNow, updatedAt, state, no);
    append(no, steps, calls, undo ?? []);
    for (const eventId of consumed ?? []) consume(no, eventId);
    const due = dueAt === undefined ? dueAtNow : dueAt;
    if (maybeStanding || due !== dueAtNow || standing > 0 || !isSummary(row, summary)) {
      summarize(no, summary, maybeStanding, due);
    }
    if (told === null) return { kind: 'written', inboxSeq: inboxSeqNow };
    tell(no, told.tells);
    const { terminatesChildren: ending } = told;
    if (ending === null) return { kind: 'written', inboxSeq: inboxSeqNow };
    return { kind: 'written', inboxSeq: inboxSeqNow, children: terminate(id, ending, updatedAt, '') };
  }

  return (batch) => batch.map((x) => session.row(() => write(x)));
}
