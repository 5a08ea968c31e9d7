/**
 * Step rows as JSON text in up to four columns: `row`, and, where the row is large, `call`, `output` and `shown` beside it. What
 * other columns say is in none of them, and fields with their usual values are absent.
 *
 * What looks for effects and compensations reads `row` alone. Lists read `shown`, or `output` where there is no `shown`; lists
 * of calls read `call`, too. Only templates read the whole of a large output.
 */
import { callOf } from '../core/call/ending-call.ts';
import type { ResponseView } from '../core/context/context.ts';
import type { CallRow, ShownBody, StepOutput, StepRow, UndoRank, UndoState } from '../core/history.ts';
import type { OutputRef } from '../core/state.ts';
import { parseJson, stringifyJson, type Json } from '../core/value/json.ts';
import type { ShowStep } from '../ports/listing.ts';
import { decodeCall, readCall, usualKey, type WrittenCall, writtenCall } from './call-text.ts';
import { orUsual, unusual, withoutUndefined } from './usual.ts';

/** The texts of a step row as it is written. */
export interface StepTexts {
  readonly row: string;
  /** The call, where it is not in `row`. */
  readonly call: string | null;
  /** The output, where it is not in `row`. */
  readonly output: string | null;
  /** What lists show of it, where that is less. */
  readonly shown: string | null;
}

/** Characters of a row that keeps its output: it fits into a page of either database, so that to part it would save nothing. */
const maxWholeRow = 4096;

/** Characters of an output that lists read as it is; the cut copy of a smaller one would hardly be smaller. */
const maxListedOutput = 64 * 1024;

/** The text of a row. Fields for which a usual value is named are absent where they have it, and null where they have none. */
interface WrittenStep {
  readonly at: number;
  readonly begun: number;
  /** Usually `begun`. */
  readonly last?: number | null | undefined;
  readonly index: number;
  /** Usually UP. */
  readonly phase?: StepRow['phase'] | null | undefined;
  /** Usually 1. */
  readonly attempt?: number | null | undefined;
  /** Usually `succeeded`. */
  readonly outcome?: StepRow['outcome'] | null | undefined;
  /** Usually 200, in rows of requests that succeeded. */
  readonly status?: number | null | undefined;
  /** Usually true. */
  readonly final?: boolean | null | undefined;
  readonly repeat?: boolean | undefined;
  /** Usually that of the first operation, in rows of visits. */
  readonly key?: string | null | undefined;
  readonly hash?: string | undefined;
  /** Usually the row itself, in rows of completed visits with a compensation. */
  readonly prev?: OutputRef | null | undefined;
  readonly choice?: StepRow['choice'];
  readonly note?: string | undefined;
  readonly child?: string | undefined;
  readonly begunAt?: number | undefined;
  readonly call?: WrittenCall | undefined;
  // Last, so that the text of a large output can be taken out of the text of the row.
  readonly output?: StepOutput | undefined;
}

/** The texts of a row. Throws a TypeError when something in it is no JSON. */
export function encodeStep(executionId: string, row: StepRow, show?: ShowStep): StepTexts {
  const { call, output } = row;
  const written = writtenStep(executionId, row);
  const text = stringifyJson(written as unknown as Json);
  if (text.length <= maxWholeRow) return { row: text, call: null, output: null, shown: null };
  // Why it failed stays: lists of compensations say it, and read no outputs.
  const kept = output?.failure === undefined ? undefined : { failure: output.failure };
  const restText = stringifyJson({ ...written, call: undefined, output: kept } as unknown as Json);
  const callText = written.call === undefined ? null : stringifyJson(written.call as unknown as Json);
  let outputText: string | null = null;
  if (output !== undefined) {
    const before = restText.length - 1 + (callText === null ? 0 : callField.length + callText.length);
    outputText = kept === undefined ? text.slice(before + outputField.length, -1) : withoutFailure(output);
  }
  if (outputText === null || show === undefined || outputText.length <= maxListedOutput) {
    return { row: restText, call: callText, output: outputText, shown: null };
  }
  const shown = stringifyJson(show(row) as unknown as Json);
  // Lists of calls do not read this output either.
  const apart = call === undefined ? null : stringifyJson(writtenCall(executionId, row, call, undefined) as Json);
  return { row: restText, call: apart, output: outputText, shown };
}

const callField = ',"call":';
const outputField = ',"output":';

function withoutFailure(output: StepOutput): string {
  const { failure: _kept, ...apart } = output;
  return stringifyJson(apart as unknown as Json);
}

function writtenStep(executionId: string, row: StepRow): WrittenStep {
  const { startedAt, output, call, key, prev } = row;
  return {
    at: row.at,
    begun: startedAt,
    last: unusual(row.attemptAt, startedAt),
    index: row.index,
    phase: unusual(row.phase, 'UP'),
    attempt: unusual(row.attempt, 1),
    outcome: unusual(row.outcome, 'succeeded'),
    status: unusual(row.statusCode, statusOf(row)),
    final: unusual(row.final, true),
    repeat: row.repeat,
    key: unusual(key, keyOf(executionId, row)),
    hash: row.fingerprint,
    prev: (hasSelf(row) ? isSelf(prev, row) : prev === undefined) ? undefined : (prev ?? null),
    choice: row.choice,
    note: row.note,
    child: row.child,
    begunAt: row.begunAt,
    call: call && writtenCall(executionId, row, call, answerOf(output)),
    output,
  };
}

/** The response in an output. */
function answerOf(output: StepOutput | undefined): ResponseView | undefined {
  const response = output?.response;
  // The same object, not a copy: it is compared with the answer of the call. Only a response that no call gave has no status.
  return response === undefined || response.status === null ? output?.accepted : (response as ResponseView);
}

function statusOf({ phase, outcome }: Pick<StepRow, 'phase' | 'outcome'>): number | undefined {
  return phase === 'UP' && outcome === 'succeeded' ? 200 : undefined;
}

/** The usual key of a row: visits of tasks have one. */
function keyOf(executionId: string, row: Pick<StepRow, 'phase' | 'round' | 'nodeId' | 'visit'>): string | undefined {
  return row.phase === 'UP' || row.phase === 'CALLBACK' ? usualKey(executionId, { ...row, phase: 'UP' }) : undefined;
}

/** Whether the row's `prev` usually is the row itself. */
function hasSelf({ outcome, undoSort }: Pick<StepRow, 'outcome' | 'undoSort'>): boolean {
  return outcome === 'succeeded' && undoSort !== undefined;
}

function isSelf(prev: OutputRef | undefined, { nodeId, ord }: StepRow): boolean {
  return prev !== undefined && prev.ord === ord && prev.nodeId === nodeId;
}

/** A step row as it is read. */
export interface StepText {
  readonly ord: number;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly scope: string;
  readonly effect: StepRow['effect'] | null;
  /** The present one, which alone changes after the row was written. */
  readonly undo: UndoState | null;
  readonly undoRank: UndoRank | null;
  readonly undoSort: number | null;
  readonly row: string;
  /** Null where it is in the row, or was not asked for. */
  readonly output?: string | null;
  readonly shown?: string | null;
}

/** The step row of texts, with what of them was read and without its call. */
export function decodeStep(executionId: string, text: StepText): StepRow {
  return decoded(executionId, text, parseJson(text.row) as unknown as WrittenStep);
}

/** An attempt as lists of calls read it: a row of its own, or the step row that records it. */
export interface StoredCall {
  readonly ord: number;
  readonly row: string;
  /** Null in rows of their own, as all that follows. */
  readonly callId: number | null;
  readonly round: number | null;
  readonly nodeId: string | null;
  readonly visit: number | null;
  /** Null where it is in the row, as the output. */
  readonly call: string | null;
  readonly output: string | null;
}

/** The call of a row. */
export function decodeStoredCall(executionId: string, stored: StoredCall): CallRow {
  const { ord, row: text, callId, round, nodeId, visit, call, output } = stored;
  if (callId === null || round === null || nodeId === null || visit === null) return decodeCall(executionId, ord, text);
  const written = parseJson(text) as unknown as WrittenStep;
  const columns = { scope: '', effect: null, undo: null, undoRank: null, undoSort: null };
  const row = decoded(executionId, { ...columns, ord: ord + 1, round, nodeId, visit, row: text, output }, written);
  const own = call === null ? written.call : (parseJson(call) as WrittenCall);
  return callOf({ ...row, call: readCall(executionId, row, callId, own ?? {}, answerOf(row.output)) }) as CallRow;
}

function decoded(executionId: string, text: StepText, written: WrittenStep): StepRow {
  const { ord, round, nodeId, visit, scope, effect, undo, undoRank, undoSort, output, shown } = text;
  const { at, begun, last, index, attempt, status, final, repeat, key, hash, prev, choice, note, child, begunAt } =
    written;
  const phase = orUsual(written.phase, 'UP') as StepRow['phase'];
  const outcome = orUsual(written.outcome, 'succeeded') as StepRow['outcome'];
  return withoutUndefined({
    ord,
    nodeId,
    index,
    phase,
    visit,
    round,
    attempt: orUsual(attempt, 1) as number,
    outcome,
    statusCode: orUsual(status, statusOf({ phase, outcome })),
    startedAt: begun,
    attemptAt: orUsual(last, begun) as number,
    at,
    scope,
    output: output === null || output === undefined ? written.output : { ...written.output, ...outputOf(output) },
    repeat,
    final: orUsual(final, true) as boolean,
    key: orUsual(key, keyOf(executionId, { phase, round, nodeId, visit })),
    fingerprint: hash,
    effect: effect ?? undefined,
    undo: undo ?? undefined,
    undoRank: undoRank ?? undefined,
    undoSort: undoSort ?? undefined,
    prev: orUsual(prev, undoSort !== null && outcome === 'succeeded' ? { nodeId, ord } : undefined),
    choice,
    note,
    child,
    begunAt,
    shown: shown === null || shown === undefined ? undefined : (parseJson(shown) as unknown as ShownBody),
  });
}

function outputOf(text: string): StepOutput {
  return parseJson(text) as unknown as StepOutput;
}
