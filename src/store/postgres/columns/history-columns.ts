/**
 * Columns of the history that a batch of executions appends, collected row by row and sent as one array each.
 *
 * Marks on rows of the same change are applied here; marks on earlier rows go to the database.
 */
import type { CallRow, StepRow, UndoMark, UndoState } from '../../../core/history.ts';
import type { ShowStep } from '../../../ports/listing.ts';
import { isMarked, readability } from '../../row-text.ts';
import { encodeStep, type StepTexts } from '../../step-text.ts';
import { callValues, type CallValues } from '../../stored-rows.ts';
import { int4Array, textArray, uuidArray } from './binary-array.ts';
import { encodeText } from './text-column.ts';

/** A step row, encoded for the statement. */
export interface StepValues {
  readonly row: StepRow;
  readonly texts: StepTexts;
}

/** The encoded rows that one execution appends. */
export interface HistoryValues {
  readonly steps: readonly StepValues[];
  /** Calls that no step records. */
  readonly calls: readonly CallValues[];
  /** New `undo` of earlier rows, by ord. */
  readonly marks: ReadonlyMap<number, UndoState>;
  /** Rounds whose failed compensations become due again. */
  readonly reopened: readonly number[];
}

const maxInt4 = 2_147_483_647;

/** Returns the value. Throws a TypeError when it is not a 32-bit integer. */
export function int4(value: number): number {
  if (!Number.isInteger(value) || Math.abs(value) > maxInt4) throw new TypeError(`This is no integer: ${value}.`);
  return value;
}

/** Returns the value. Throws a TypeError when it is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(`This is no integer: ${value}.`);
  return value;
}

const noMarks: ReadonlyMap<number, UndoState> = new Map();
const noRounds: readonly number[] = [];
const noCalls: readonly CallValues[] = [];

/** Encodes the rows that a change appends. Throws a TypeError when something cannot be stored. */
export function historyValues(
  id: string,
  steps: readonly StepRow[],
  calls: readonly CallRow[],
  undo: readonly UndoMark[],
  show?: ShowStep,
): HistoryValues {
  const { rows, marks, reopened } = undo.length === 0 ? unmarked(steps) : withMarks(steps, undo);
  return {
    steps: rows.map((row) => ({ row, texts: encodeStep(id, row, show) })),
    calls: calls.length === 0 ? noCalls : calls.map((call) => checkedCall(id, call)),
    marks,
    reopened,
  };
}

/** Rows with the marks of the same change applied, and the remaining marks. */
interface Marked {
  readonly rows: readonly StepRow[];
  readonly marks: ReadonlyMap<number, UndoState>;
  readonly reopened: readonly number[];
}

/** For changes without marks: nearly all. */
function unmarked(rows: readonly StepRow[]): Marked {
  for (const row of rows) checkStep(row);
  return { rows, marks: noMarks, reopened: noRounds };
}

function withMarks(steps: readonly StepRow[], undo: readonly UndoMark[]): Marked {
  const marks = new Map<number, UndoState>();
  const reopened: number[] = [];
  for (const mark of undo) {
    if (mark.kind === 'set') marks.set(mark.ord, mark.undo);
    else reopened.push(mark.round);
  }
  const rows = steps.map((row) => {
    checkStep(row);
    const undoState = marks.get(row.ord);
    marks.delete(row.ord);
    if (undoState !== undefined) return { ...row, undo: undoState };
    return row.undo === 'failed' && reopened.includes(row.round) ? { ...row, undo: 'reopened' as const } : row;
  });
  return { rows, marks, reopened };
}

function checkStep({ ord, round, visit, undoRank, undoSort, call }: StepRow): void {
  int4(ord);
  int4(round);
  int4(visit);
  int4(undoRank ?? 0);
  int4(undoSort ?? 0);
  int4(call?.callId ?? 0);
}

function checkedCall(id: string, call: CallRow): CallValues {
  int4(call.ord);
  return callValues(id, call);
}

/** Collects step rows; its parameters are the columns of `step`. */
export class StepColumns {
  readonly #of: string[] = [];
  readonly #values: StepValues[] = [];
  #isLean = true;

  /** Adds the rows of an execution. */
  add(execution: string, values: readonly StepValues[]): void {
    for (const value of values) {
      this.#of.push(execution);
      this.#values.push(value);
      if (value.texts.call !== null || value.texts.output !== null) this.#isLean = false;
    }
  }

  /** Whether every row is whole, so that the columns for parts of large rows can be omitted. */
  get isLean(): boolean {
    return this.#isLean;
  }

  /** The parameters for {@link stepSql}; `isLean` omits the columns for large rows. */
  parameters(isLean: boolean = false): readonly unknown[] {
    const values = this.#values;
    return [
      uuidArray(this.#of),
      int4Array(values.map(({ row }) => row.ord)),
      int4Array(values.map(({ row }) => row.round)),
      textArray(values.map(({ row }) => encodeText(row.nodeId))),
      int4Array(values.map(({ row }) => row.visit)),
      textArray(values.map(({ row }) => encodeText(row.scope))),
      int4Array(values.map(({ row }) => readability(row))),
      int4Array(values.map(({ row }) => isMarked(row))),
      textArray(values.map(({ row }) => row.effect ?? null)),
      textArray(values.map(({ row }) => row.undo ?? null)),
      int4Array(values.map(({ row }) => row.undoRank ?? null)),
      int4Array(values.map(({ row }) => row.undoSort ?? null)),
      int4Array(values.map(({ row }) => row.call?.callId ?? null)),
      textArray(values.map(({ texts }) => texts.row)),
      ...(isLean ? [] : [textArray(values.map(({ texts }) => texts.call))]),
      ...(isLean ? [] : [textArray(values.map(({ texts }) => texts.shown))]),
      ...(isLean ? [] : [textArray(values.map(({ texts }) => texts.output))]),
    ];
  }
}

/** Number of parameters of {@link stepSql} when it is not lean. */
export const stepParameters = 17;

/** The columns of `step` with their types, in the order of the parameters; columns for parts of large rows last. */
const columnTypes =
  'execution uuid, ord int, round int, node_id text, visit int, scope text, readable int, marked int, effect text, undo text, undo_rank int, undo_sort int, call_id int, "row" text, call text, shown text, output text'
    .split(', ')
    .map((column) => column.split(' '));

const leanTypes = columnTypes.slice(0, -3);

/** The column names of `step`; `isLean` omits the columns for large rows. */
export function stepColumns(isLean: boolean = false): string {
  return (isLean ? leanTypes : columnTypes).map(([name]) => name).join(', ');
}

/** A row source `s` of steps whose parameters begin at `$first`; its columns are those of {@link stepColumns}. */
export function stepSql(first: number, isLean: boolean = false): string {
  const types = isLean ? leanTypes : columnTypes;
  const arrays = types.map(([, type], i) => `$${first + i}::${type}[]`).join(', ');
  return `unnest(${arrays}) AS s (${stepColumns(isLean)})`;
}
