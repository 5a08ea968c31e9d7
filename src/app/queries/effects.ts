import type { State } from '../../core/state.ts';
import type { EffectFilter, EffectRow } from '../../ports/store.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { AppContext } from '../context.ts';

/** Largest number of effects in a document; more would take too much time. */
const maxEffects = 500;

/** Effects that need attention: their compensation failed, or they remain. */
const open: EffectFilter['undo'] = ['failed', 'reopened', 'accepted', 'none'];

/**
 * The effects of an execution in all rounds, in history order. Above {@link maxEffects}, only the first ones and as
 * many unsettled ones.
 */
export async function effectsOf(app: AppContext, { id, round, state }: ExecutionDetail): Promise<readonly EffectRow[]> {
  const first = await app.store.listEffects(id, maxEffects);
  if (first.length < maxEffects) return first;
  // A pending effect is compensated later; once the execution is over, it remains.
  const undo = state.end === undefined ? open : [...open, 'pending' as const];
  const unsettled = await app.store.listEffects(id, maxEffects, { rounds: [1, round], undo });
  const byOrd = new Map([...first, ...unsettled].map((effect) => [effect.target.ord, effect]));
  return [...byOrd.values()].sort((a, b) => a.target.ord - b.target.ord);
}

/**
 * The unfinished compensations of this round, of all nodes or one, in compensation order within each state; at most
 * {@link maxEffects}.
 */
export async function unfinishedOf(
  app: AppContext,
  detail: ExecutionDetail,
  only?: NonNullable<EffectFilter['only']>,
): Promise<readonly EffectRow[]> {
  const { id, round } = detail;
  const effects = await app.store.listEffects(id, maxEffects, {
    rounds: [round, round],
    undo: ['failed', 'reopened', 'pending'],
    ...(only !== undefined && { only }),
  });
  return compensationsOf(detail, effects);
}

/**
 * The standing effects of an execution that ended other than SUCCEEDED: mutating calls that succeeded or are unknown
 * and were not compensated. Includes effects that an operator accepted; excludes those that a later round took over.
 */
export function standingOf(detail: ExecutionDetail, effects: readonly EffectRow[]): readonly EffectRow[] {
  const end = detail.state.end;
  if (end === undefined || end.status === 'SUCCEEDED') return [];
  return effects.filter(
    ({ mutating, effect, undo }) =>
      mutating && effect !== undefined && undo !== 'done' && undo !== 'resolved' && undo !== 'moved',
  );
}

/** The compensations of this round that ran, run, or will certainly run; excludes later ones that are only possible. */
export function compensationsOf(detail: ExecutionDetail, effects: readonly EffectRow[]): readonly EffectRow[] {
  const running = runningUndo(detail.state);
  const { verdict } = detail.state;
  // An execution with the verdict SUCCEEDED becomes CORRUPTED if a compensation of a route or branch fails; its other
  // effects remain.
  const allDue = (detail.status === 'COMPENSATING' || detail.status === 'CORRUPTED') && verdict?.status !== 'SUCCEEDED';
  return effects.filter(({ target, undo }) => {
    if (target.round !== detail.round || undo === undefined || undo === 'moved') return false;
    return undo !== 'pending' || allDue || running.has(target.ord);
  });
}

/** The current compensations: attempts by the `ord` of their row. */
export function runningUndo(state: State): ReadonlyMap<number, number> {
  const running = new Map<number, number>();
  for (const { stage } of state.tokens) {
    if (stage.kind === 'unwinding' && stage.undo !== undefined) running.set(stage.undo.target.ord, stage.undo.attempt);
  }
  return running;
}

/** The order in which compensations run: lowest rank first, then latest first. */
export function inUndoOrder(effects: readonly EffectRow[]): readonly EffectRow[] {
  return [...effects].sort(
    (a, b) => (a.undoRank ?? 2) - (b.undoRank ?? 2) || (b.undoSort ?? b.target.ord) - (a.undoSort ?? a.target.ord),
  );
}

/** The state of a compensation as clients see it. */
export const undoWords: Readonly<Record<NonNullable<EffectRow['undo']>, string>> = {
  pending: 'PENDING',
  done: 'DONE',
  failed: 'FAILED',
  reopened: 'PENDING',
  resolved: 'RESOLVED',
  accepted: 'RESOLVED',
  moved: 'DONE',
};
