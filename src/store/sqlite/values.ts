/** What crosses to the worker and back, made of the port's objects and the other way around; see also `stored-rows.ts`. */
import type { ShowStep } from '../../ports/listing.ts';
import type { Checkpoint, CheckpointResult, NewExecution, Tell, TerminalChange } from '../../ports/store.ts';
import { encode, encodeTold, familyValues, isOver } from '../row-text.ts';
import { callValues, inboxRows, stepValues, summaryValues } from '../stored-rows.ts';
import type {
  ChangeValues,
  CheckpointAnswer,
  CheckpointValues,
  MemberValues,
  SubmitValues,
  TellValues,
  ToldValues,
} from './protocol.ts';

function memberValues(x: NewExecution): MemberValues | null {
  if (x.parent === undefined && (x.tells?.length ?? 0) === 0) return null;
  return { place: familyValues(x), parentClaim: x.parentClaim ?? null, tells: tellValues(x.tells) };
}

function toldValues({ tells, terminatesChildren }: Checkpoint): ToldValues | null {
  if ((tells?.length ?? 0) === 0 && terminatesChildren === undefined) return null;
  return { tells: tellValues(tells), terminatesChildren: terminatesChildren ?? null };
}

function tellValues(tells: readonly Tell[] = []): readonly TellValues[] {
  return tells.map(({ executionId, row: { id, at, event } }) => [executionId, id, at, encodeTold(event)]);
}

/** A new execution for the worker, its definition apart. Throws a TypeError when something in it is no JSON. */
export function submitValues(x: NewExecution, show?: ShowStep): SubmitValues {
  const labelPairs = Object.entries(x.labels);
  return {
    id: x.id,
    slot: x.slot,
    name: x.name,
    version: x.version,
    hash: x.definitionHash,
    mustBeStored: x.mustBeStored === true,
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
    steps: x.steps.map((row) => stepValues(x.id, row, show)),
    startKey: x.startKey === undefined ? null : [x.startKey.caller, x.startKey.key, x.startKey.fingerprint],
    member: memberValues(x),
  };
}

/** A checkpoint for the worker. Throws a TypeError when something in it is no JSON. */
export function checkpointValues(x: Checkpoint, show?: ShowStep): CheckpointValues {
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
    x.progress ? 0 : (x.claims ?? null),
    x.steps.map((row) => stepValues(x.id, row, show)),
    x.calls.map((row) => callValues(x.id, row)),
    // Nearly always empty, and each list costs as much to hand over as several numbers.
    x.undo.length === 0 ? null : x.undo,
    x.consumed.length === 0 ? null : x.consumed,
    toldValues(x),
  ];
}

/** A change of a terminal execution for the worker. */
export function changeValues(x: TerminalChange, show?: ShowStep): ChangeValues {
  return {
    id: x.id,
    seq: x.seq,
    writeId: x.writeId,
    state: encode(x.state),
    updatedAt: x.summary.updatedAt,
    summary: summaryValues(x.summary),
    maybeStanding: x.summary.maybeStanding,
    dueAt: x.dueAt,
    steps: x.steps.map((row) => stepValues(x.id, row, show)),
    calls: (x.calls ?? []).map((row) => callValues(x.id, row)),
    undo: x.undo,
    tells: tellValues(x.tells),
    ifRootOver: x.ifRootOver ?? null,
    audit: x.audit,
  };
}

/** The answer to a checkpoint. */
export function checkpointResult(answer: CheckpointAnswer): CheckpointResult {
  return answer.kind === 'inbox' ? { ...answer, inbox: inboxRows(answer.inbox) } : answer;
}
