/**
 * Rows with an effect or a compensation: all of them in the order of their ords, or those of some rounds and kinds. At most
 * `limit`.
 *
 * Each kind has its own statement and partial index. Finished compensations are in none of these indexes.
 */
import type { EffectFilter } from '../../../ports/store.ts';
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { stepTextColumns } from './step-text-columns.ts';

const sql = `
SELECT ${stepTextColumns} FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.marked = 1
ORDER BY s.ord LIMIT ?`;

/** In the words of the index of what stands. */
const standing = "s.effect IS NOT NULL AND (s.undo IS NULL OR s.undo IN ('pending', 'failed', 'reopened', 'accepted'))";

const kindSql = (condition: string): string => `
SELECT ${stepTextColumns} FROM step s
WHERE s.execution = (SELECT no FROM execution WHERE id = ?) AND s.round = ? AND s.marked = 1 AND ${condition}
  AND (? IS NULL OR s.node_id = ?) AND (? IS NULL OR s.visit = ?)
ORDER BY s.undo_rank, s.undo_sort DESC LIMIT ?`;

/** Prepares it. */
export function listEffects(session: Session): Operations['listEffects'] {
  const select = session.all<StepText>(sql);
  const ofKind = (condition: string): ((...values: readonly (string | number | null)[]) => StepText[]) =>
    session.all<StepText>(kindSql(condition));
  const kinds: Readonly<Record<EffectFilter['undo'][number], ReturnType<typeof ofKind>>> = {
    pending: ofKind("s.undo = 'pending'"),
    reopened: ofKind("s.undo = 'reopened'"),
    failed: ofKind("s.undo = 'failed'"),
    accepted: ofKind(`s.undo = 'accepted' AND ${standing}`),
    none: ofKind(`s.undo IS NULL AND ${standing}`),
  };
  return (id, limit, filter) => {
    if (filter === undefined) return select(id, limit).map((row) => ({ ...row }));
    const { rounds, only, undo } = filter;
    const [nodeId, visit] = [only?.nodeId ?? null, only?.visit ?? null];
    const found: StepText[] = [];
    for (let round = rounds[0]; round <= rounds[1]; round++) {
      for (const kind of undo) {
        if (found.length < limit) {
          found.push(...kinds[kind](id, round, nodeId, nodeId, visit, visit, limit - found.length));
        }
      }
    }
    return found.map((row) => ({ ...row }));
  };
}
