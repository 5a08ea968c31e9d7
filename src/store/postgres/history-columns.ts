/**
 * Columns of the history that a batch of executions appends, gathered row by row, sent as one array each.
 *
 * A mark on a row of the same change is applied here already; marks on earlier rows go to the database.
 */
import type { CallRow, StepRow, UndoMark, UndoState } from '../../core/history.ts';
import { callValues, stepValues, type CallValues, type StepValues } from '../stored-rows.ts';
import { foldedCall } from './folded-calls.ts';
import { int4Array, textArray, uuidArray } from './binary-array.ts';
import { encodeText } from './text-column.ts';

/** The columns of `step` after `execution`. */
type StepColumnValues = readonly [...StepValues, call: string | null];

/** The rows that one execution appends, as values. */
export interface HistoryValues {
  readonly steps: readonly StepColumnValues[];
  /** Those that are in no step's row. */
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
  const folded = new Map<number, string>();
  const ownCalls: CallRow[] = [];
  for (const call of calls) {
    const text = foldedCall(
      call,
      steps.find(({ ord }) => ord === call.ord + 1),
    );
    if (text === undefined) ownCalls.push(call);
    else folded.set(call.ord + 1, text);
  }
  return {
    steps: marked.map((row) => [...checkedStep(stepValues(row)), folded.get(row.ord) ?? null]),
    calls: ownCalls.map((row) => checkedCall(callValues(row))),
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

/** Gathers step rows; its parameters are the columns of `step`. */
export class StepColumns {
  readonly #of: string[] = [];
  readonly #rows: StepColumnValues[] = [];

  /** Adds the rows of an execution. */
  add(execution: string, rows: readonly StepColumnValues[]): void {
    for (const row of rows) {
      this.#of.push(execution);
      this.#rows.push(row);
    }
  }

  /** As {@link stepSql} wants them. */
  parameters(): readonly unknown[] {
    const rows = this.#rows;
    return [
      uuidArray(this.#of),
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
      textArray(rows.map((row) => row[12])),
    ];
  }
}

/** Parameters of {@link stepSql}. */
export const stepParameters = 14;

/** The columns of `step` in the order of the parameters. */
export const stepColumns =
  'execution, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, "row", call';

/** A row source `s` of steps whose parameters begin at `$first`; its columns are those of `step`. */
export function stepSql(first: number): string {
  const casts = [
    'uuid',
    'int',
    'int',
    'text',
    'int',
    'text',
    'int',
    'int',
    'text',
    'text',
    'int',
    'int',
    'text',
    'text',
  ];
  const arrays = casts.map((type, i) => `$${first + i}::${type}[]`).join(', ');
  return `unnest(${arrays}) AS s (${stepColumns})`;
}
