/**
 * Step rows as JSON text in up to three columns: `row`, and, where the output is large, `output` and `shown` beside it.
 *
 * What looks for effects and compensations reads `row` alone. Lists read `shown`, or `output` where there is no `shown`. Only
 * templates read the whole.
 */
import type { ShownBody, StepOutput, StepRow, UndoState } from '../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../core/value/json.ts';
import type { ShowStep } from '../ports/listing.ts';

/** A step row as it is written. */
export interface StepTexts {
  readonly row: string;
  /** The output, where it is not in `row`. */
  readonly output: string | null;
  /** What lists show of it, where that is less. */
  readonly shown: string | null;
}

/** Characters of a row that keeps its output: it fits into a page of either database, so that to part it would save nothing. */
const maxWholeRow = 4096;

/** Characters of an output that lists read as it is; the cut copy of a smaller one would hardly be smaller. */
const maxListedOutput = 64 * 1024;

/** The texts of a row. Throws a TypeError when something in it is no JSON. */
export function encodeStep(row: StepRow, show?: ShowStep): StepTexts {
  const text = stringifyJson(row as unknown as Json);
  if (text.length <= maxWholeRow || row.output === undefined) return { row: text, output: null, shown: null };
  const { output, ...rest } = row;
  // Why it failed stays: lists of compensations say it, and read no outputs.
  const { failure, ...apart } = output;
  const own = failure === undefined ? rest : { ...rest, output: { failure } };
  const outputText = stringifyJson(apart as unknown as Json);
  return {
    row: stringifyJson(own as unknown as Json),
    output: outputText,
    shown:
      show === undefined || outputText.length <= maxListedOutput ? null : stringifyJson(show(row) as unknown as Json),
  };
}

/** A step row as it is read; `undo` is the present one, which alone changes after the row was written. */
export interface StepText {
  readonly row: string;
  readonly undo: UndoState | null;
  /** Null where it is in the row, or was not asked for. */
  readonly output?: string | null;
  readonly shown?: string | null;
}

/** The step row of texts, with what of them was read. */
export function decodeStep({ row, undo, output, shown }: StepText): StepRow {
  const { undo: _written, ...step } = parseJson(row) as unknown as StepRow;
  return {
    ...step,
    ...(undo === null ? undefined : { undo }),
    ...(output === null || output === undefined ? undefined : { output: withFailure(output, step.output) }),
    ...(shown === null || shown === undefined ? undefined : { shown: parseJson(shown) as unknown as ShownBody }),
  };
}

function withFailure(text: string, inRow: StepOutput | undefined): StepOutput {
  return { ...inRow, ...(parseJson(text) as unknown as StepOutput) };
}
