/** Which effects of some rounds and kinds a list shows; see {@link Store.listEffects}. */
import type { StepRow } from '../../src/core/history.ts';
import type { EffectFilter } from '../../src/ports/store.ts';

/** Returns the first `limit` effects of each round and kind, in the order of compensation. */
export function openEffects(rows: readonly StepRow[], limit: number, { rounds, only, undo }: EffectFilter): StepRow[] {
  const found: StepRow[] = [];
  for (let round = rounds[0]; round <= rounds[1]; round++) {
    for (const kind of undo) {
      const fitting = rows.filter((row) => row.round === round && isOfKind(row, kind) && isMeant(row, only));
      fitting.sort((a, b) => (a.undoRank ?? 0) - (b.undoRank ?? 0) || (b.undoSort ?? 0) - (a.undoSort ?? 0));
      found.push(...fitting.slice(0, limit));
    }
  }
  return found;
}

function isOfKind({ undo, effect }: StepRow, kind: EffectFilter['undo'][number]): boolean {
  const mustStand = kind === 'accepted' || kind === 'none';
  return (undo ?? 'none') === kind && (effect !== undefined || !mustStand);
}

function isMeant({ nodeId, visit }: StepRow, only: EffectFilter['only']): boolean {
  return only === undefined || (nodeId === only.nodeId && (only.visit ?? visit) === visit);
}
