/**
 * Columns of the history that a batch of executions appends, gathered row by row, sent as one array each.
 *
 * A mark on a row of the same change is applied here already; marks on earlier rows go to the database.
 */
import type { CallRow, StepRow, UndoMark, UndoState } from '../../core/history.ts';
import { callValues, stepValues, type CallValues, type StepValues } from '../stored-rows.ts';
import { int4Array, textArray } from './binary-array.ts';
import { encodeText } from './text-column.ts';

/** The rows that one execution appends, as values. */
export interface HistoryValues {
  readonly steps: readonly StepValues[];
  readonly calls: readonly CallValues[];
  /** New `undo` of rows written before, by ord. */
  readonly marks: ReadonlyMap<number, UndoState>;
  /** Rounds whose failed compensations become due again. */
  readonly reopened: readonly number[];
}

const maxInt4 = 2_147_483_647;

/** Throws a TypeError when it is no integer that a column of 32 bits holds. */
export function int4(value: number): number {
  if (!Number.isInteger(value) || Math.abs(value) > maxInt4) throw new TypeError(`This is no integer: ${value}.`);
  return value;
}

/** Throws a TypeError when it is no integer. */
export function int8(value: number): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(`This is no integer: ${value}.`);
  return value;
}

function reopen(row: StepRow, rounds: readonly number[]): StepRow {
  return row.undo === 'failed' && rounds.includes(row.round) ? { ...row, undo: 'reopened' } : row;
}

/** The values of what a change appends. Throws a TypeError when something cannot be stored. */
export function historyValues(
  steps: readonly StepRow[],
  calls: readonly CallRow[],
  undo: readonly UndoMark[],
): HistoryValues {
  const marks = new Map<number, UndoState>();
  const reopened: number[] = [];
  for (const mark of undo) {
    if (mark.kind === 'set') marks.set(mark.ord, mark.undo);
    else reopened.push(mark.round);
  }
  const marked = steps.map((row) => {
    const undoState = marks.get(row.ord);
    if (undoState === undefined) return reopen(row, reopened);
    marks.delete(row.ord);
    return { ...row, undo: undoState };
  });
  return {
    steps: marked.map((row) => checkedStep(stepValues(row))),
    calls: calls.map((row) => checkedCall(callValues(row))),
    marks,
    reopened,
  };
}

function checkedStep(values: StepValues): StepValues {
  const [ord, round, , visit, , , , , , undoRank, undoSort] = values;
  for (const value of [ord, round, visit, undoRank ?? 0, undoSort ?? 0]) int4(value);
  return values;
}

function checkedCall(values: CallValues): CallValues {
  int4(values[0]);
  return values;
}

/** Parameters: first the number of the execution within the batch, then the columns of `step` after `execution`. */
export class StepColumns {
  readonly #of: number[] = [];
  readonly #rows: StepValues[] = [];

  /** Rows so far. */
  get length(): number {
    return this.#rows.length;
  }

  /** Adds the rows of the execution with this number in the batch. */
  add(n: number, rows: readonly StepValues[]): void {
    for (const row of rows) {
      this.#of.push(n);
      this.#rows.push(row);
    }
  }

  /** As {@link stepSql} wants them. */
  parameters(): readonly unknown[] {
    const rows = this.#rows;
    return [
      int4Array(this.#of),
      int4Array(rows.map((row) => row[0])),
      int4Array(rows.map((row) => row[1])),
      textArray(rows.map((row) => encodeText(row[2]))),
      int4Array(rows.map((row) => row[3])),
      textArray(rows.map((row) => encodeText(row[4]))),
      int4Array(rows.map((row) => row[5])),
      int4Array(rows.map((row) => row[6])),
      textArray(rows.map((row) => row[7])),
      textArray(rows.map((row) => row[8])),
      int4Array(rows.map((row) => row[9])),
      int4Array(rows.map((row) => row[10])),
      textArray(rows.map((row) => row[11])),
    ];
  }
}

/** A row source of steps whose parameters begin at `$first`; its columns are `n` and those of `step` after `execution`. */
export function stepSql(first: number): string {
  const casts = ['int', 'int', 'int', 'text', 'int', 'text', 'int', 'int', 'text', 'text', 'int', 'int', 'text'];
  const arrays = casts.map((type, i) => `$${first + i}::${type}[]`).join(', ');
  return `unnest(${arrays})
    AS s (n, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, "row")`;
}

/** Parameters of {@link stepSql}. */
export const stepParameters = 13;

/** The columns of `step` that {@link stepSql} fills, `execution` apart. */
export const stepInsertColumns =
  'ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, "row"';

/** The same, as a row source `s` gives them. */
export const stepSelectColumns =
  's.ord, s.round, s.node_id, s.visit, s.scope, s.readable, s.marked, s.effect, s.undo, s.undo_rank, s.undo_sort, s."row"';
