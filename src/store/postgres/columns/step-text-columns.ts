/** The columns of `step` that are read with the text of a row; see `StepText`. */
import type { StepText } from '../../step-text.ts';
import { decodeText } from './text-column.ts';

/** Their names, for subqueries. */
export const stepTextNames = 'ord, round, node_id, visit, scope, effect, undo, undo_rank, undo_sort, "row"';

/** The same for the result of a query, from `table`. */
export function stepTextColumns(table: string): string {
  const fields: Readonly<Record<string, string>> = { node_id: 'nodeId', undo_rank: 'undoRank', undo_sort: 'undoSort' };
  return stepTextNames
    .split(', ')
    .map((name) => (fields[name] === undefined ? `${table}.${name}` : `${table}.${name} AS "${fields[name]}"`))
    .join(', ');
}

/** A row of such a query with the texts of its columns decoded. */
export function storedStep<T extends Pick<StepText, 'nodeId' | 'scope'>>(row: T): T {
  return { ...row, nodeId: decodeText(row.nodeId), scope: decodeText(row.scope) };
}
