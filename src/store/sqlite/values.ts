/** What crosses to the worker and back, made of the port's objects and the other way around. */
import type { CallRow, StepRow } from '../../core/history.ts';
import type { ExecutionStatus, FailureReason } from '../../core/state.ts';
import type {
  Checkpoint,
  CheckpointResult,
  ExecutionDetail,
  ExecutionRecord,
  ExecutionSummary,
  InboxRow,
  LoadedExecution,
  NewExecution,
  TerminalChange,
} from '../../ports/store.ts';
import { decodeEvent, decodeLabels, decodeState, encode, isOver, readability } from '../row-text.ts';
import type {
  CallValues,
  ChangeValues,
  CheckpointAnswer,
  CheckpointValues,
  DetailValues,
  InboxValues,
  LoadedValues,
  RecordValues,
  StepValues,
  SubmitValues,
  SummaryValues,
} from './protocol.ts';

function stepValues(row: StepRow): StepValues {
  return [
    row.ord,
    row.round,
    row.nodeId,
    row.visit,
    row.scope,
    readability(row),
    row.effect === undefined && row.undo === undefined ? 0 : 1,
    row.effect ?? null,
    row.undo ?? null,
    row.undoRank ?? null,
    row.undoSort ?? null,
    encode(row),
  ];
}

function callValues(row: CallRow): CallValues {
  return [row.ord, encode(row)];
}

function summaryValues(summary: ExecutionSummary): SummaryValues {
  return [
    summary.status,
    summary.round,
    summary.startedAt,
    summary.completedAt ?? null,
    summary.reason ?? null,
    summary.failedNodeId ?? null,
    summary.failureDescription ?? null,
    summary.callbackWarning ?? null,
  ];
}

/** A new execution for the worker, its definition apart. Throws a TypeError when something in it is no JSON. */
export function submitValues(x: NewExecution): SubmitValues {
  const labelPairs = Object.entries(x.labels);
  return {
    id: x.id,
    slot: x.slot,
    name: x.name,
    version: x.version,
    hash: x.definitionHash,
    labels: labelPairs.length === 0 ? null : encode(x.labels),
    labelPairs,
    createdAt: x.createdAt,
    dueAt: isOver(x.summary) ? null : x.dueAt,
    summary: summaryValues(x.summary),
    maybeStanding: x.summary.maybeStanding,
    updatedAt: x.summary.updatedAt,
    claim: x.claim ?? null,
    state: encode(x.state),
    payload: x.payload,
    traceparent: x.traceparent ?? null,
    steps: x.steps.map((row) => stepValues(row)),
    startKey: x.startKey === undefined ? null : [x.startKey.caller, x.startKey.key, x.startKey.fingerprint],
  };
}

/** A checkpoint for the worker. Throws a TypeError when something in it is no JSON. */
export function checkpointValues(x: Checkpoint): CheckpointValues {
  return [
    x.id,
    x.claim,
    x.seq,
    x.inboxSeq ?? null,
    encode(x.state),
    x.summary.updatedAt,
    summaryValues(x.summary),
    x.summary.maybeStanding,
    x.dueAt,
    x.progress,
    x.steps.map((row) => stepValues(row)),
    x.calls.map((row) => callValues(row)),
    x.undo,
    x.consumed,
  ];
}

/** A change of a terminal execution for the worker. */
export function changeValues(x: TerminalChange): ChangeValues {
  return {
    id: x.id,
    seq: x.seq,
    writeId: x.writeId,
    state: encode(x.state),
    updatedAt: x.summary.updatedAt,
    summary: summaryValues(x.summary),
    maybeStanding: x.summary.maybeStanding,
    dueAt: x.dueAt,
    steps: x.steps.map((row) => stepValues(row)),
    undo: x.undo,
  };
}

/** Events of an inbox. */
export function inboxRows(rows: readonly InboxValues[]): readonly InboxRow[] {
  return rows.map(({ id, at, event }) => ({ id, at, event: decodeEvent(event) }));
}

/** The answer to a checkpoint. */
export function checkpointResult(answer: CheckpointAnswer): CheckpointResult {
  return answer.kind === 'inbox' ? { ...answer, inbox: inboxRows(answer.inbox) } : answer;
}

/** An execution as taken over. */
export function loadedExecution(x: LoadedValues): LoadedExecution {
  const { hash, labels, traceparent, state, inbox, ...rest } = x;
  return {
    ...rest,
    definitionHash: hash,
    labels: decodeLabels(labels),
    ...(traceparent === null ? undefined : { traceparent }),
    state: decodeState(state),
    inbox: inboxRows(inbox),
  };
}

/** An execution as lists show it. */
export function executionRecord(x: RecordValues): ExecutionRecord {
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
  };
}

/** An execution with its state and input. */
export function executionDetail(x: DetailValues): ExecutionDetail {
  return {
    ...executionRecord(x),
    payload: x.payload,
    ...(x.traceparent === null ? undefined : { traceparent: x.traceparent }),
    seq: x.seq,
    inboxSeq: x.inboxSeq,
    state: decodeState(x.state),
  };
}
