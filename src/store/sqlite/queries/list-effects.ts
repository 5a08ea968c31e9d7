/** Rows with an effect or a compensation, of all rounds, in the order of their ords; at most `limit`. */
import type { StepText } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const sql = `
SELECT s.row, s.undo FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.marked = 1
ORDER BY s.ord LIMIT ?`;

/** Prepares it. */
export function listEffects(session: Session): Operations['listEffects'] {
  const select = session.all<StepText>(sql);
  return (id, limit) => select(id, limit).map((row) => ({ ...row }));
}
