/** The latest effect of a node's visit that stands from a round before the given one, and those of a node by their request. */
import { maxStandingRequests } from '../../../ports/store.ts';
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

// The fingerprint is in the text of the row, in hexadecimal digits. A row without one is one of a call that was given up.
const requestsSql = `
SELECT ${stepTextColumns} FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.node_id = ? AND s.round < ?
  AND s.effect IS NOT NULL AND (s.undo IS NULL OR s.undo IN ('pending', 'failed', 'reopened', 'accepted'))
  AND (instr(s.row, ?) > 0 OR (s.effect = 'unknown' AND instr(s.row, '"hash":') = 0))
ORDER BY s.ord LIMIT ${maxStandingRequests}`;

/** Prepares it. */
export function listStandingRequests(session: Session): Operations['listStandingRequests'] {
  const select = session.all<StepText>(requestsSql);
  return (id, nodeId, round, fingerprint) =>
    select(id, nodeId, round, `"hash":"${fingerprint}"`).map((row) => ({ ...row }));
}
