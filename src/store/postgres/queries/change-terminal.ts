import type { ExecutionStatus } from '../../../core/state.ts';
import type { ShowStep } from '../../../ports/listing.ts';
import type { TerminalChange, TerminalChangeResult } from '../../../ports/store.ts';
import { encode, isOver } from '../../row-text.ts';
import { summaryValues } from '../../stored-rows.ts';
import { int4Array, textArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session } from '../connection/session.ts';
import {
  historyValues,
  int4,
  int8,
  StepColumns,
  stepColumns,
  stepSql,
  type HistoryValues,
} from '../columns/history-columns.ts';
import { encodeText } from '../columns/text-column.ts';
import { auditStatement } from './audit.ts';
import { lockInOrder, tell, tellValues } from './tells.ts';

const lockSql = 'SELECT seq, change, status, round FROM execution WHERE id = $1 FOR NO KEY UPDATE';

const updateSql = `
UPDATE execution SET seq = seq + 1, claim = NULL, claims = 0, change = $2, updated_at = $3, state = $4, due_at = $5,
  status = $6, round = $7, started_at = $8, completed_at = $9, reason = $10, failed_node_id = $11,
  failure_description = $12, callback_warning = $13, callback_keys = $14, standing = 0
WHERE id = $1`;

const insertSql = `INSERT INTO step (${stepColumns()}) SELECT s.* FROM ${stepSql(1)}`;

const insertCallSql = 'INSERT INTO call (execution, ord, "row") VALUES ($1, $2, $3)';

const markSql = `
UPDATE step s SET undo = m.undo, marked = 1
FROM unnest($2::int[], $3::text[]) AS m (ord, undo) WHERE s.execution = $1 AND s.ord = m.ord`;

const reopenSql = `
UPDATE step SET undo = 'reopened' WHERE execution = $1 AND round = ANY ($2::int[]) AND undo = 'failed'
  AND NOT ord = ANY ($3::int[])`;

const mayStand = "(undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'))";

const standingSql = `
UPDATE execution SET standing = (
  SELECT coalesce(max(CASE WHEN effect = 'unknown' AND undo IS DISTINCT FROM 'accepted' THEN 2 ELSE 1 END), 0)
  FROM step
  WHERE execution = $1 AND effect IS NOT NULL AND ${mayStand})
WHERE id = $1`;

/** Puts effects of the history up to a round's end into the index of effects that a later round may find; a slice at a time. */
const keepSql = `
UPDATE step SET earlier = true
WHERE execution = $1 AND ord > $2 AND ord <= $3 AND effect IS NOT NULL AND earlier IS NULL AND ${mayStand}`;

const lastOrdSql = 'SELECT ord FROM step WHERE execution = $1 ORDER BY ord DESC LIMIT 1';

/** Ords of a slice, which bounds the duration of its statement. */
const slice = 5000;

interface Row {
  readonly seq: number;
  readonly change: string | null;
  readonly status: ExecutionStatus;
  readonly round: number;
}

/**
 * Changes an execution (retry, resolve, redelivery of its hook) if it is terminal and at the expected seq; false otherwise. The
 * change fences the former owner and removes the claim.
 *
 * Guarantees: repeating the latest change returns true and writes nothing, even after a worker has taken over. Changes are
 * rare, so the transaction runs several statements while it holds the row lock.
 *
 * Throws the server's error when a value cannot be stored.
 */
export function changeTerminal(
  connections: Connections,
  x: TerminalChange,
  show?: ShowStep,
): Promise<TerminalChangeResult> {
  int4(x.seq);
  int4(x.summary.round);
  for (const at of [x.summary.updatedAt, x.summary.startedAt, x.summary.completedAt ?? 0, x.dueAt ?? 0]) int8(at);
  const history = historyValues(x.id, x.steps, x.calls ?? [], x.undo, show);
  const state = encode(x.state);
  const tells = tellValues(x.id, x.tells);
  return connections.transaction('short', async (session) => {
    const others = [...tells.map((one) => one.executionId), ...(x.ifRootOver === undefined ? [] : [x.ifRootOver])];
    const locked = others.length === 0 ? undefined : await lockInOrder(session, [x.id, ...others]);
    const [row] = await session.query<Row>({ name: 'change-lock', text: lockSql, values: [x.id] });
    if (row === undefined) return false;
    if (row.change === encodeText(x.writeId)) return true;
    if (!isOver(row) || row.seq !== x.seq) return false;
    if (x.ifRootOver !== undefined && locked?.get(x.ifRootOver)?.isOpen === true) return 'root_open';
    const texts = summaryValues(x.summary).map((value) => (typeof value === 'string' ? encodeText(value) : value));
    const values = [x.id, encodeText(x.writeId), x.summary.updatedAt, state, x.dueAt, ...texts];
    await session.query({ text: updateSql, values });
    if (x.summary.round > row.round) await keepEffects(session, x.id);
    await append(session, x.id, history);
    if (x.summary.maybeStanding) await session.query({ text: standingSql, values: [x.id] });
    await tell(session, tells);
    if (x.audit !== undefined) await session.query(auditStatement(x.audit));
    return true;
  });
}

/** Makes the effects that stand findable by node and visit, for the round that begins. */
async function keepEffects(session: Session, id: string): Promise<void> {
  const [last] = await session.query<{ ord: number }>({ text: lastOrdSql, values: [id] });
  for (let from = 0; from < (last?.ord ?? 0); from += slice) {
    await session.query({ name: 'change-keep', text: keepSql, values: [id, from, from + slice] });
  }
}

async function append(session: Session, id: string, history: HistoryValues): Promise<void> {
  const { steps, calls, marks, reopened } = history;
  if (steps.length > 0) {
    const columns = new StepColumns();
    columns.add(id, steps);
    await session.query({ text: insertSql, values: columns.parameters() });
  }
  for (const [ord, row] of calls) await session.query({ text: insertCallSql, values: [id, ord, row] });
  const ords = int4Array([...marks.keys()]);
  if (marks.size > 0) await session.query({ text: markSql, values: [id, ords, textArray([...marks.values()])] });
  if (reopened.length > 0) await session.query({ text: reopenSql, values: [id, int4Array(reopened), ords] });
}
