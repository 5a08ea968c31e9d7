/** The latest effect of a node's visit that stands from a round before the given one. */
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { stepTextColumns } from './step-text-columns.ts';

const sql = `
SELECT ${stepTextColumns} FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.node_id = ? AND s.visit = ? AND s.round < ?
  AND s.effect IS NOT NULL AND (s.undo IS NULL OR s.undo IN ('pending', 'failed', 'reopened', 'accepted'))
ORDER BY s.round DESC, s.ord DESC LIMIT 1`;

/** Prepares it. */
export function findStanding(session: Session): Operations['findStanding'] {
  const select = session.one<StepText>(sql);
  return (id, nodeId, visit, round) => {
    const row = select(id, nodeId, visit, round);
    return row && { ...row };
  };
}
