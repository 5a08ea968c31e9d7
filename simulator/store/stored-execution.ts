/** An execution as the store in memory keeps it, and functions that read it. */
import type { FamilyPlace } from '../../src/core/context/family.ts';
import type { CallRow, StepRow, UndoMark, UndoState } from '../../src/core/history.ts';
import { stringifyJson, type Json } from '../../src/core/value/json.ts';
import { fitsGlobs } from '../../src/core/value/name-globs.ts';
import type { ExecutionStatus } from '../../src/core/state.ts';
import { processOf } from '../../src/ports/queue.ts';
import type { ShowStep } from '../../src/ports/listing.ts';
import type {
  ActiveCounts,
  ClaimRow,
  ExecutionFilter,
  InboxRow,
  LoadedExecution,
  NewExecution,
} from '../../src/ports/store.ts';
import type { DueDetail, ExecutionProgress, ExecutionRecord, ExecutionSummary } from '../../src/ports/records.ts';
import { OutputsTooLarge, type TakeOverBounds } from '../../src/ports/store-bounds.ts';
import { lengthOf } from '../../src/store/pages.ts';
import {
  decodeEvent,
  decodeState,
  encode,
  familyPlace,
  familyValues,
  isOver,
  isStanding,
  isUnresolved,
} from '../../src/store/row-text.ts';
import { encodeCall as encodeText } from '../../src/store/call-text.ts';
import {
  decodeStep,
  encodeStep as encodeTexts,
  type StepText,
  type StepTexts,
  type StoredCall,
} from '../../src/store/step-text.ts';

/** A step row: its texts and columns, of which one changes. */
export interface StoredStep extends Omit<StepText, 'row' | 'output' | 'shown' | 'undo'> {
  readonly texts: StepTexts;
  readonly callId: number | null;
  /** Whether the row's output is found by its node. */
  readonly isReadable: boolean;
  undo: UndoState | null;
}

/** An event; `event` is undefined once consumed. */
interface StoredEvent {
  readonly id: string;
  readonly at: number;
  readonly nonce: string | undefined;
  readonly bodyHash: string;
  readonly pending: boolean;
  event: string | undefined;
}

/** One execution; states, rows and events as JSON text. */
export interface StoredExecution {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  readonly payload: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceparent: string | undefined;
  readonly createdAt: number;
  readonly family: FamilyPlace;
  seq: number;
  inboxSeq: number;
  claim: string | undefined;
  claims: number;
  /** When the execution last changed while it was terminal. */
  change: string | undefined;
  /** Null if the execution needs no further work. */
  dueAt: number | null;
  state: string;
  summary: ExecutionSummary;
  readonly steps: StoredStep[];
  readonly calls: StoredCall[];
  readonly inbox: StoredEvent[];
}

/** Serializes a step row. Throws if it is no JSON, or its place in the history is no integer. */
export function encodeStep(id: string, row: StepRow, show?: ShowStep): StoredStep {
  for (const part of [row.ord, row.round, row.visit]) {
    if (!Number.isSafeInteger(part)) throw new TypeError(`The row's place in the history is no integer: ${part}.`);
  }
  const { ord, round, nodeId, visit, scope, effect = null, undo = null, undoRank = null, undoSort = null, call } = row;
  const columns = { ord, round, nodeId, visit, scope, effect, undo, undoRank, undoSort };
  return {
    ...columns,
    callId: call?.callId ?? null,
    isReadable: row.refOnly !== true,
    texts: encodeTexts(id, row, show),
  };
}

/** Serializes a call row. Throws if it is no JSON, or its place in the history is no integer. */
export function encodeCall(id: string, row: CallRow): StoredCall {
  if (!Number.isSafeInteger(row.ord)) throw new TypeError(`The row's place in the history is no integer: ${row.ord}.`);
  const { ord } = row;
  return { ...noStep, ord, row: encodeText(id, row) };
}

const noStep = { callId: null, round: null, nodeId: null, visit: null, call: null, output: null };

/** The call that a step row records; undefined if it records none. */
export function recordedCall(step: StoredStep): StoredCall | undefined {
  const { ord, callId, round, nodeId, visit, texts } = step;
  if (callId === null) return undefined;
  const { row, call, output, shown } = texts;
  return { ord: ord - 1, row, callId, round, nodeId, visit, call, output: shown === null ? output : null };
}

/** Returns the step row with its whole output and its current `undo`. */
export function stepOf(id: string, step: StoredStep): StepRow {
  const { row, output } = step.texts;
  return decodeStep(id, { ...step, row, output });
}

/** The texts of a step row that a list reads. */
function listedTexts(
  { texts: { row, shown, output } }: StoredStep,
  withoutBodies = false,
): Pick<StepTexts, 'row' | 'shown' | 'output'> {
  if (withoutBodies) return { row, shown: null, output: null };
  return { row, shown, output: shown === null ? output : null };
}

/** Returns the step row as lists show it. */
export function listedStepOf(id: string, step: StoredStep, withoutBodies?: boolean): StepRow {
  return decodeStep(id, { ...step, ...listedTexts(step, withoutBodies) });
}

/** The number of characters of a row that a list reads. */
export function listedLength(step: StoredStep, withoutBodies?: boolean): number {
  const { row, shown, output } = listedTexts(step, withoutBodies);
  return lengthOf(row, shown, output);
}

/** Returns the rows. Throws OutputsTooLarge if they exceed `maxBytes` as JSON. */
export function withinBytes(rows: readonly StepRow[], maxBytes: number): readonly StepRow[] {
  if (maxBytes < Infinity) {
    const bytes = rows.reduce((sum, row) => sum + Buffer.byteLength(stringifyJson(row as unknown as Json)), 0);
    if (bytes > maxBytes) throw new OutputsTooLarge();
  }
  return rows;
}

/** Applies marks to earlier rows. */
export function appendMarks(x: StoredExecution, marks: readonly UndoMark[]): void {
  for (const mark of marks) {
    for (const step of x.steps) {
      if (mark.kind === 'set' && step.ord === mark.ord) step.undo = mark.undo;
      if (mark.kind === 'reopen' && step.round === mark.round && step.undo === 'failed') step.undo = 'reopened';
    }
  }
}

/** Returns the execution as the list of due executions shows it; undefined without a due time. */
export function dueDetailOf(x: StoredExecution): DueDetail | undefined {
  const { id, slot, dueAt, claim, claims, summary } = x;
  if (dueAt === null) return undefined;
  const { status, updatedAt } = summary;
  const isTaken = claim !== undefined && (claims > 0 || updatedAt > dueAt);
  return { id, slot, dueAt, status, updatedAt, ...(isTaken ? { claim } : undefined) };
}

/** Counts the executions. */
export function countsOf(executions: readonly StoredExecution[]): ActiveCounts {
  const statuses: Partial<Record<ExecutionStatus, number>> = {};
  const callbackKeys: Record<string, number> = {};
  let pendingHooks = 0;
  let openChildren = 0;
  for (const x of executions) {
    const { summary } = x;
    for (const key of summary.callbackKeys ?? []) callbackKeys[key] = (callbackKeys[key] ?? 0) + 1;
    if (hookOf(x) === 'pending') pendingHooks++;
    if (x.family.parent !== undefined && !isOver(summary)) openChildren++;
    if (isOver(summary) && summary.status !== 'CORRUPTED') continue;
    statuses[summary.status] = (statuses[summary.status] ?? 0) + 1;
  }
  return { statuses, callbackKeys, pendingHooks, openChildren };
}

/** The state of the hook of a terminal execution, for filters: `pending` has a due time, `failed` a warning. */
function hookOf({ dueAt, summary }: StoredExecution): ExecutionFilter['hook'] {
  if (!isOver(summary)) return undefined;
  if (dueAt !== null) return 'pending';
  return summary.callbackWarning === undefined ? undefined : 'failed';
}

/** Returns the unconsumed events, oldest first. */
export function waitingRows(x: StoredExecution): readonly InboxRow[] {
  return x.inbox.flatMap(({ id, at, event }) => (event === undefined ? [] : [{ id, at, event: decodeEvent(event) }]));
}

/** Whether effects of the execution stand. */
export function stands(x: StoredExecution): boolean {
  return x.summary.maybeStanding && x.steps.some((step) => isStanding(stepOf(x.id, step)));
}

/** Whether what stands of an execution is what a filter wants. */
function standsSo(x: StoredExecution, wanted: NonNullable<ExecutionFilter['standing']>): boolean {
  if (typeof wanted === 'boolean') return stands(x) === wanted;
  if (!stands(x)) return false;
  const isUnknown = x.steps.some((step) => {
    const { effect, undo } = stepOf(x.id, step);
    return effect === 'unknown' && undo !== 'accepted' && isStanding(stepOf(x.id, step));
  });
  return isUnknown === (wanted === 'unknown');
}

/** Returns the execution as lists show it. */
export function recordOf(x: StoredExecution): ExecutionRecord {
  const { id, slot, name, version, definitionHash, createdAt, labels, summary } = x;
  return {
    ...summary,
    id,
    slot,
    name,
    version,
    definitionHash,
    createdAt,
    labels: { ...labels },
    maybeStanding: stands(x),
    ...x.family,
  };
}

/** Returns the execution with its state. */
export function progressOf(x: StoredExecution): ExecutionProgress {
  return {
    ...recordOf(x),
    ...(x.traceparent === undefined ? undefined : { traceparent: x.traceparent }),
    seq: x.seq,
    inboxSeq: x.inboxSeq,
    state: decodeState(x.state),
  };
}

/** Whether the execution matches the filter. */
export function matches(x: StoredExecution, filter: ExecutionFilter): boolean {
  const { summary } = x;
  const { completedAt } = summary;
  return (
    (filter.statuses === undefined || filter.statuses.includes(summary.status)) &&
    (filter.name === undefined || filter.name === x.name) &&
    fitsGlobs(x.name, filter.nameGlobs) &&
    (filter.version === undefined || filter.version === x.version) &&
    (filter.reason === undefined || filter.reason === summary.reason) &&
    (filter.failedNodeId === undefined || filter.failedNodeId === summary.failedNodeId) &&
    Object.entries(filter.labels ?? {}).every(
      ([key, value]) => Object.hasOwn(x.labels, key) && x.labels[key] === value,
    ) &&
    (filter.startedAfter === undefined || summary.startedAt >= filter.startedAfter) &&
    (filter.startedBefore === undefined || summary.startedAt < filter.startedBefore) &&
    (filter.completedAfter === undefined || (completedAt !== undefined && completedAt >= filter.completedAfter)) &&
    (filter.completedBefore === undefined || (completedAt !== undefined && completedAt < filter.completedBefore)) &&
    (filter.parent === undefined || x.family.parent?.id === filter.parent) &&
    (filter.root === undefined || (x.family.parent === undefined) === filter.root) &&
    (filter.standing === undefined || standsSo(x, filter.standing)) &&
    (filter.ids === undefined || (x.id >= filter.ids[0] && x.id <= filter.ids[1])) &&
    (filter.hook === undefined || hookOf(x) === filter.hook)
  );
}

/** Takes an execution over and returns what its new owner needs; undefined without a due time. See {@link Store.takeOver}. */
export function takenOver(
  x: StoredExecution,
  claim: string,
  now: number,
  live: readonly string[],
  { below = Infinity, wholeUpTo = Infinity, maxPayloadBytes = Infinity }: TakeOverBounds,
): LoadedExecution | undefined {
  if (x.dueAt === null) return undefined;
  if (x.claim !== claim) {
    if (x.claims >= below) return undefined;
    const isOfLive = x.claim !== undefined && live.includes(processOf(x.claim));
    x.seq += 1;
    x.claim = claim;
    if (x.claims === 0 || !isOfLive) x.claims += 1;
  }
  x.dueAt = Math.min(x.dueAt, now);
  const { id, slot, name, version, definitionHash, labels, traceparent, createdAt, seq, inboxSeq, claims } = x;
  const isWhole = claims <= wholeUpTo;
  const payloadBytes = Buffer.byteLength(x.payload);
  const isSmall = payloadBytes <= maxPayloadBytes;
  return {
    id,
    slot,
    name,
    version,
    definitionHash,
    payload: isWhole && isSmall ? x.payload : '',
    ...(isWhole && !isSmall ? { payloadBytes } : undefined),
    labels: { ...labels },
    ...(traceparent === undefined ? undefined : { traceparent }),
    createdAt,
    ...x.family,
    seq,
    inboxSeq,
    claims,
    dueAt: x.dueAt,
    state: decodeState(x.state),
    inbox: isWhole ? waitingRows(x) : [],
  };
}

/** Returns the claim of an execution; empty if the execution does not exist or has no due time. */
export function claimOf(x: StoredExecution | undefined): readonly ClaimRow[] {
  if (x === undefined || x.dueAt === null) return [];
  const { id, claim, seq, inboxSeq } = x;
  return [{ id, seq, inboxSeq, ...(claim === undefined ? undefined : { claim }) }];
}

/** Serializes a new execution. Throws if a part of it is no JSON. */
export function storedExecution(x: NewExecution, show: ShowStep | undefined): StoredExecution {
  return {
    id: x.id,
    slot: x.slot,
    name: x.name,
    version: x.version,
    definitionHash: x.definitionHash,
    payload: x.payload,
    labels: { ...x.labels },
    traceparent: x.traceparent,
    createdAt: x.createdAt,
    family: familyPlace(...familyValues(x)),
    seq: 0,
    inboxSeq: 0,
    claim: x.claim,
    claims: x.claim === undefined ? 0 : 1,
    change: undefined,
    dueAt: isOver(x.summary) ? null : x.dueAt,
    state: encode(x.state),
    summary: { ...x.summary },
    steps: x.steps.map((row) => encodeStep(x.id, row, show)),
    calls: [],
    inbox: [],
  };
}

/** Whether retention must keep an execution, however old: it is not over, CORRUPTED, or a hook or an effect of it is pending. */
export function isKept({ id, dueAt, summary, steps }: StoredExecution): boolean {
  const { status, maybeStanding } = summary;
  if (dueAt !== null || !isOver(summary) || status === 'CORRUPTED') return true;
  return maybeStanding && steps.some((step) => isUnresolved(stepOf(id, step)));
}

/** Rejects a row that cannot be serialized, and keeps nothing of it. */
export function isolated<T>(write: () => T): T | { readonly kind: 'invalid'; readonly message: string } {
  try {
    return write();
  } catch (error) {
    return { kind: 'invalid', message: error instanceof Error ? error.message : String(error) };
  }
}
