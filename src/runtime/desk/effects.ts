/** What an execution left downstream, and what became of its compensations. */
import type { State } from '../../core/state.ts';
import type { EffectRow, ExecutionDetail } from '../../ports/store.ts';
import type { DeskParts } from './parts.ts';

/** How many effects a document shows at most: those of the first visits. */
const maxEffects = 10_000;

/** The effects of all rounds, in the order of the history. */
export function effectsOf(parts: DeskParts, id: string): Promise<readonly EffectRow[]> {
  return parts.store.listEffects(id, maxEffects);
}

/**
 * The effects that stand: a mutating call that succeeded or is unknown and was not compensated, of an execution that
 * ended other than SUCCEEDED. One that an operator accepted stands too; one that a later round took over does not.
 */
export function standingOf(detail: ExecutionDetail, effects: readonly EffectRow[]): readonly EffectRow[] {
  const end = detail.state.end;
  if (end === undefined || end.status === 'SUCCEEDED') return [];
  return effects.filter(
    ({ mutating, effect, undo }) =>
      mutating && effect !== undefined && undo !== 'done' && undo !== 'resolved' && undo !== 'moved',
  );
}

/** The compensations of this round that ran, run, or are certain to run. One that only may come is none yet. */
export function compensationsOf(detail: ExecutionDetail, effects: readonly EffectRow[]): readonly EffectRow[] {
  const running = runningUndo(detail.state);
  const { verdict } = detail.state;
  // One that is to end as SUCCEEDED may be CORRUPTED too, by a compensation before a route or of a branch: the rest stays.
  const allDue = (detail.status === 'COMPENSATING' || detail.status === 'CORRUPTED') && verdict?.status !== 'SUCCEEDED';
  return effects.filter(({ target, undo }) => {
    if (target.round !== detail.round || undo === undefined || undo === 'moved') return false;
    return undo !== 'pending' || allDue || running.has(target.ord);
  });
}

/** Those of {@link compensationsOf} that are still to come, or to be settled. */
export function unfinishedOf(detail: ExecutionDetail, effects: readonly EffectRow[]): readonly EffectRow[] {
  return compensationsOf(detail, effects).filter(
    ({ undo }) => undo === 'pending' || undo === 'failed' || undo === 'reopened',
  );
}

/** Ords of the rows whose compensation runs now, with the attempts made. */
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
