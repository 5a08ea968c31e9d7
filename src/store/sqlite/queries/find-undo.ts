/**
 * The next row to compensate: of the pending (or reopened) ones of a round the lowest rank, within it the highest sort
 * key; only of a scope or below, and only of one visit where asked.
 *
 * Such rows lie in this order in an index of each kind; outside of a scope the first one is the answer. Ranks but the first sort
 * by ord: where all rows of the scope are after an ord, the search of a rank ends there.
 */
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { stepTextColumns } from './step-text-columns.ts';

const from = (undo: 'pending' | 'reopened'): string => `
SELECT ${stepTextColumns} FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.round = ? AND s.undo = '${undo}'`;

const order = 'ORDER BY s.undo_rank, s.undo_sort DESC LIMIT 1';

// The name of an inner scope begins with its outer scope and a slash; `0` is the character after the slash.
const within = `AND (s.scope = ? OR (s.scope >= ? || '/' AND s.scope < ? || '0'))`;

/** Prepares it. */
export function findUndo(session: Session): Operations['findUndo'] {
  const prepare = (undo: 'pending' | 'reopened') => ({
    first: session.one<StepText>(`${from(undo)} ${order}`),
    firstWithin: session.one<StepText>(`${from(undo)} ${within} ${order}`),
    unknownWithin: session.one<StepText>(`${from(undo)} ${within} AND s.undo_rank = 1 AND s.ord > ? ${order}`),
    recentWithin: session.one<StepText>(
      `${from(undo)} ${within} AND s.undo_rank = ? AND s.undo_sort > ? ORDER BY s.undo_sort DESC LIMIT 1`,
    ),
    visitWithin: session.one<StepText>(`${from(undo)} ${within} AND s.node_id = ? AND s.visit = ? ${order}`),
  });
  const prepared = { pending: prepare('pending'), reopened: prepare('reopened') };
  return (id, round, { scope, only, undo = 'pending', after }) => {
    const { first, firstWithin, unknownWithin, recentWithin, visitWithin } = prepared[undo];
    let row: StepText | undefined;
    if (only !== undefined) row = visitWithin(id, round, scope, scope, scope, only.nodeId, only.visit);
    else if (scope === '') row = first(id, round);
    else if (after === undefined) row = firstWithin(id, round, scope, scope, scope);
    else {
      row = unknownWithin(id, round, scope, scope, scope, after);
      for (const rank of [2, 3]) row ??= recentWithin(id, round, scope, scope, scope, rank, after);
    }
    return row && { ...row };
  };
}
