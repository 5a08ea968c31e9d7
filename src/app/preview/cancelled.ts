import { apply } from '../../core/apply.ts';
import type { StepRow } from '../../core/history.ts';
import type { Run } from '../../core/run.ts';
import type { UndoTarget } from '../../core/state.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { EffectRow } from '../../ports/store.ts';
import type { AppContext } from '../context.ts';
import { inUndoOrder } from '../queries/effects.ts';
import { decidingEnv, runOf } from '../queries/run-view.ts';
import { maxPreviews } from './rendering.ts';

/** An execution as a cancel now would leave it, what it would compensate then, in that order, and the effects that it settles itself. */
export async function cancelled(
  app: AppContext,
  detail: ExecutionDetail,
): Promise<{ readonly run: Run; readonly due: readonly EffectRow[]; readonly settled: readonly EffectRow[] }> {
  const run = await runOf(app, detail);
  // Includes effects that the cancel itself settles: a node that waits for its callback becomes unknown.
  const { state, steps } = apply(run, { type: 'cancelled' }, decidingEnv(app));
  const written = await app.store.listEffects(detail.id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending', 'reopened'],
  });
  const settled = steps.flatMap(effectOf);
  const due = inUndoOrder([...written, ...settled.filter(({ undo }) => undo === 'pending')]);
  return { run: { ...run, state }, due, settled };
}

/** The effect of a step row that is not stored yet. */
export function effectOf(row: StepRow): EffectRow[] {
  if (row.undo === undefined && row.effect === undefined) return [];
  if (row.outcome === 'pending' || row.outcome === 'unsent') return [];
  const target: UndoTarget = {
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    ord: row.ord,
    scope: row.scope,
    outcome: row.outcome,
    key: row.key ?? '',
    ...(row.prev !== undefined && { prev: row.prev }),
  };
  return [
    {
      target,
      begunAt: row.begunAt ?? row.startedAt,
      mutating: true,
      ...(row.undo !== undefined && { undo: row.undo }),
      ...(row.effect !== undefined && { effect: row.effect }),
      ...(row.undoRank !== undefined && { undoRank: row.undoRank }),
      ...(row.undoSort !== undefined && { undoSort: row.undoSort }),
    },
  ];
}
