/**
 * Appends step and call rows of one execution and changes the `undo` of earlier ones.
 *
 * Marks come after the rows: one may name a row of the same checkpoint. A mark whose row is absent changes nothing.
 */
import type { UndoMark } from '../../../core/history.ts';
import type { CallValues, StepValues } from '../../stored-rows.ts';
import type { Session } from '../session.ts';

const insertStepSql = `
INSERT INTO step (execution, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort,
  call_id, row, shown, call, output)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const insertCallSql = 'INSERT INTO call (execution, ord, row) VALUES (?, ?, ?)';

const setUndoSql = 'UPDATE step SET undo = ?, marked = 1 WHERE execution = ? AND ord = ?';

const reopenSql = `UPDATE step SET undo = 'reopened' WHERE execution = ? AND round = ? AND undo = 'failed'`;

/** Prepares it; `execution` is the execution's number. */
export function appendHistory(
  session: Session,
): (execution: number, steps: readonly StepValues[], calls: readonly CallValues[], undo: readonly UndoMark[]) => void {
  const insertStep = session.write(insertStepSql);
  const insertCall = session.write(insertCallSql);
  const setUndo = session.write(setUndoSql);
  const reopen = session.write(reopenSql);
  return (execution, steps, calls, undo) => {
    for (const step of steps) insertStep(execution, ...step);
    for (const call of calls) insertCall(execution, ...call);
    for (const mark of undo) {
      if (mark.kind === 'set') setUndo(mark.undo, execution, mark.ord);
      else reopen(execution, mark.round);
    }
  };
}
