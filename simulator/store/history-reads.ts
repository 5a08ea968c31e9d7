/** Reads the history of one execution; the rows are in the order of their ords. */
import { isOfItem, isWithin } from '../../src/core/context/scope.ts';
import type { OutputQuery } from '../../src/core/context/outputs.ts';
import type { StepRow } from '../../src/core/history.ts';
import type { UndoFilter } from '../../src/ports/store.ts';
import { isStanding, readability } from '../../src/store/row-text.ts';

/** Rows with outputs or keys of the latest visits that the queries ask for; `isReadable` says which are found by node. */
export function askedOutputs(
  steps: readonly StepRow[],
  isReadable: (row: StepRow) => boolean,
  round: number,
  queries: readonly OutputQuery[],
): readonly StepRow[] {
  const rows = steps.filter((row) => row.round === round && isReadable(row) && readability(row) > 0);
  return steps.filter((row) =>
    queries.some(({ nodeId, before = Infinity, at, within }) => {
      if (at !== undefined) return row.ord === at;
      if (!rows.includes(row)) return false;
      const latest = rows.findLast(
        (x) => x.nodeId === nodeId && x.ord < before && readability(x) === 1 && isOfItem(x, within),
      );
      return row.nodeId === nodeId && row.ord < before && row.visit === latest?.visit;
    }),
  );
}

/** Returns the next row to compensate. */
export function nextUndo(
  steps: readonly StepRow[],
  round: number,
  { scope, only, undo = 'pending' }: UndoFilter,
): StepRow | undefined {
  return steps
    .filter((row) => row.round === round && row.undo === undo && isWithin(row.scope, scope))
    .filter((row) => only === undefined || (row.nodeId === only.nodeId && row.visit === only.visit))
    .sort((a, b) => (a.undoRank ?? 0) - (b.undoRank ?? 0) || (b.undoSort ?? 0) - (a.undoSort ?? 0))
    .at(0);
}

/** Returns the latest standing effect of a visit before a round. */
export function latestStanding(
  steps: readonly StepRow[],
  nodeId: string,
  visit: number,
  round: number,
): StepRow | undefined {
  return steps
    .filter((row) => row.nodeId === nodeId && row.visit === visit && row.round < round && isStanding(row))
    .sort((a, b) => a.round - b.round || a.ord - b.ord)
    .at(-1);
}
