/**
 * The next row to compensate: of the pending ones of a round the lowest rank, within it the highest sort key; only of a
 * scope or below, and only of one visit where asked.
 *
 * Pending rows lie in this order in their index; outside of a scope the first one is the answer.
 */
import type { Operations, StepText } from '../protocol.ts';
import type { Session } from '../session.ts';

const from = `
SELECT s.row, s.undo FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.round = ? AND s.undo = 'pending'`;

const order = 'ORDER BY s.undo_rank, s.undo_sort DESC LIMIT 1';

// A scope's inner scopes begin with it and a slash; `0` is the character after the slash.
const within = `AND (s.scope = ? OR (s.scope >= ? || '/' AND s.scope < ? || '0'))`;

/** Prepares it. */
export function findUndo(session: Session): Operations['findUndo'] {
  const first = session.one<StepText>(`${from} ${order}`);
  const firstWithin = session.one<StepText>(`${from} ${within} ${order}`);
  const visitWithin = session.one<StepText>(`${from} ${within} AND s.node_id = ? AND s.visit = ? ${order}`);
  return (id, round, scope, only) => {
    let row: StepText | undefined;
    if (only !== undefined) row = visitWithin(id, round, scope, scope, scope, only.nodeId, only.visit);
    else if (scope === '') row = first(id, round);
    else row = firstWithin(id, round, scope, scope, scope);
    return row && { ...row };
  };
}
