/**
 * Conversion between the port's objects and the rows of the SQL stores: columns for what queries read, JSON text for the rest.
 */
import type { CallRow, StepRow } from '../core/history.ts';
import type { ExecutionStatus, FailureReason } from '../core/state.ts';
import type { ListedExecution, ShowStep } from '../ports/listing.ts';
import type { ActiveCounts, ClaimRow, InboxRow, LoadedExecution } from '../ports/store.ts';
import type {
  DueDetail,
  DueRow,
  ExecutionDetail,
  ExecutionProgress,
  ExecutionRecord,
  ExecutionSummary,
} from '../ports/records.ts';
import { encodeCall } from './call-text.ts';
import { decodeEvent, decodeLabels, decodeState, familyPlace, isMarked, readability } from './row-text.ts';
import { encodeStep } from './step-text.ts';

/** A step row: the columns of `step` after `execution`. */
export type StepValues = readonly [
  ord: number,
  round: number,
  nodeId: string,
  visit: number,
  scope: string,
  readable: 0 | 1 | 2,
  marked: 0 | 1,
  effect: string | null,
  undo: string | null,
  undoRank: number | null,
  undoSort: number | null,
  callId: number | null,
  row: string,
  shown: string | null,
  call: string | null,
  output: string | null,
];

/** A call row: the columns of `call` after `execution`. */
export type CallValues = readonly [ord: number, row: string];

/** The summary's columns of `execution`, from `status` but without `standing`. */
export type SummaryValues = readonly [
  status: string,
  round: number,
  startedAt: number,
  completedAt: number | null,
  reason: string | null,
  failedNodeId: string | null,
  failureDescription: string | null,
  callbackWarning: string | null,
  callbackKeys: string | null,
];

/** An unconsumed event. */
export interface InboxValues {
  readonly id: string;
  readonly at: number;
  readonly event: string;
}

/** An execution's place in its family; null for a root. */
interface PlaceValues {
  readonly parent: string | null;
  readonly root: string | null;
  readonly link: string | null;
}

/** A row of a list of executions. */
export interface RecordValues extends PlaceValues {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly labels: string | null;
  readonly createdAt: number;
  readonly status: string;
  readonly standing: number;
  readonly round: number;
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly completedAt: number | null;
  readonly reason: string | null;
  readonly failedNodeId: string | null;
  readonly failureDescription: string | null;
  readonly callbackWarning: string | null;
}

/** A row of a list of executions with the state where the list has it. */
export interface ListedValues extends RecordValues {
  readonly state: string | null;
}

/** An execution with its state. */
export interface ProgressValues extends RecordValues {
  readonly traceparent: string | null;
  readonly seq: number;
  readonly inboxSeq: number;
  readonly state: string;
}

/** An execution with its state and input. */
export interface DetailValues extends ProgressValues {
  readonly payload: string;
}

/** An execution as taken over. */
export interface LoadedValues extends PlaceValues {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly payload: string;
  /** Null: the payload was not left out for its size. */
  readonly payloadBytes: number | null;
  readonly labels: string | null;
  readonly traceparent: string | null;
  readonly createdAt: number;
  readonly seq: number;
  readonly inboxSeq: number;
  readonly claims: number;
  readonly dueAt: number;
  readonly state: string;
  readonly inbox: readonly InboxValues[];
}

/** The columns of a step row. Throws a TypeError when something in it is no JSON. */
export function stepValues(executionId: string, row: StepRow, show?: ShowStep): StepValues {
  const texts = encodeStep(executionId, row, show);
  return [
    row.ord,
    row.round,
    row.nodeId,
    row.visit,
    row.scope,
    readability(row),
    isMarked(row),
    row.effect ?? null,
    row.undo ?? null,
    row.undoRank ?? null,
    row.undoSort ?? null,
    row.call?.callId ?? null,
    texts.row,
    texts.shown,
    texts.call,
    texts.output,
  ];
}

/** The columns of a call row. Throws a TypeError when something in it is no JSON. */
export function callValues(executionId: string, row: CallRow): CallValues {
  return [row.ord, encodeCall(executionId, row)];
}

/** The columns of a summary. */
export function summaryValues(summary: ExecutionSummary): SummaryValues {
  return [
    summary.status,
    summary.round,
    summary.startedAt,
    summary.completedAt ?? null,
    summary.reason ?? null,
    summary.failedNodeId ?? null,
    summary.failureDescription ?? null,
    summary.callbackWarning ?? null,
    callbackKeysText(summary),
  ];
}

/** The column `callback_keys`. */
export function callbackKeysText({ callbackKeys }: ExecutionSummary): string | null {
  return callbackKeys === undefined ? null : JSON.stringify(callbackKeys);
}

/** Events of an inbox. */
export function inboxRows(rows: readonly InboxValues[]): readonly InboxRow[] {
  return rows.map(({ id, at, event }) => ({ id, at, event: decodeEvent(event) }));
}

/** An execution as taken over. */
export function loadedExecution(x: LoadedValues): LoadedExecution {
  const { hash, labels, traceparent, state, inbox, payloadBytes, parent, root, link, ...rest } = x;
  return {
    ...rest,
    ...familyPlace(parent, root, link),
    ...(payloadBytes === null ? undefined : { payloadBytes }),
    definitionHash: hash,
    labels: decodeLabels(labels),
    ...(traceparent === null ? undefined : { traceparent }),
    state: decodeState(state),
    inbox: inboxRows(inbox),
  };
}

/** An execution as lists show it. */
function executionRecord(x: RecordValues): ExecutionRecord {
  return {
    id: x.id,
    slot: x.slot,
    name: x.name,
    version: x.version,
    definitionHash: x.hash,
    createdAt: x.createdAt,
    labels: decodeLabels(x.labels),
    status: x.status as ExecutionStatus,
    round: x.round,
    startedAt: x.startedAt,
    updatedAt: x.updatedAt,
    ...(x.completedAt === null ? undefined : { completedAt: x.completedAt }),
    ...(x.failureDescription === null ? undefined : { failureDescription: x.failureDescription }),
    ...(x.reason === null ? undefined : { reason: x.reason as FailureReason }),
    ...(x.failedNodeId === null ? undefined : { failedNodeId: x.failedNodeId }),
    ...(x.callbackWarning === null ? undefined : { callbackWarning: x.callbackWarning }),
    maybeStanding: x.standing > 0,
    ...familyPlace(x.parent, x.root, x.link),
  };
}

/** The same with its state where the list has it. */
export function listedExecution(x: ListedValues): ListedExecution {
  const record = executionRecord(x);
  return x.state === null ? record : { ...record, state: decodeState(x.state) };
}

/** A status, the keys of tokens, a hook that is still to be delivered, or a parent before the end, and how many executions have it. */
export interface CountValues {
  readonly kind: 'status' | 'keys' | 'hooks' | 'children';
  readonly value: string;
  readonly count: number;
}

/** The counts of executions, of rows that each are of a status, or of a set of keys as {@link summaryValues} has it. */
export function activeCounts(rows: readonly CountValues[]): ActiveCounts {
  const statuses: Partial<Record<ExecutionStatus, number>> = {};
  const callbackKeys: Record<string, number> = {};
  let pendingHooks = 0;
  let openChildren = 0;
  for (const { kind, value, count } of rows) {
    if (kind === 'hooks') pendingHooks += count;
    else if (kind === 'children') openChildren += count;
    else if (kind === 'status') statuses[value as ExecutionStatus] = count;
    else for (const key of JSON.parse(value) as string[]) callbackKeys[key] = (callbackKeys[key] ?? 0) + count;
  }
  return { statuses, callbackKeys, pendingHooks, openChildren };
}

/** A due row as the stores read it. */
export interface DueValues extends DueRow {
  readonly status: ExecutionStatus;
  readonly updatedAt: number;
  readonly claim: string | null;
}

/** A due execution. */
export function dueDetail({ claim, ...row }: DueValues): DueDetail {
  return { ...row, ...(claim === null ? undefined : { claim }) };
}

/** A claim as the stores read it. */
export interface ClaimValues extends Omit<ClaimRow, 'claim'> {
  readonly claim: string | null;
}

/** The claim of an execution that is not over. */
export function claimRow({ id, claim, seq, inboxSeq }: ClaimValues): ClaimRow {
  return { id, seq, inboxSeq, ...(claim === null ? undefined : { claim }) };
}

/** An execution with its state. */
export function executionProgress(x: ProgressValues): ExecutionProgress {
  return {
    ...executionRecord(x),
    ...(x.traceparent === null ? undefined : { traceparent: x.traceparent }),
    seq: x.seq,
    inboxSeq: x.inboxSeq,
    state: decodeState(x.state),
  };
}

/** An execution with its state and input. */
export function executionDetail(x: DetailValues): ExecutionDetail {
  return { ...executionProgress(x), payload: x.payload };
}
