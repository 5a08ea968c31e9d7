import type { ResponseView } from '../context/context.ts';
import type { Draft } from '../draft.ts';
import type { StepRow, UndoRank } from '../history.ts';
import type { Mutable } from '../value/mutable.ts';
import type { Json } from '../value/json.ts';
import { idempotencyKey } from '../call/keys.ts';
import type { TaskPlan } from '../plan.ts';
import type { AttemptFailure, TaskRun, Token } from '../state.ts';
import type { FailedAnswer } from './attempt.ts';
import { noteCompleted } from './route.ts';

/** The idempotency key of the current operation of a visit. */
export function keyOf(d: Draft, node: TaskPlan, task: TaskRun): string {
  return task.key ?? idempotencyKey(d.header.id, d.state.round, node.id, task.visit, 'UP', task.operation);
}

/** The task at which a token is. Throws if its node is not a task. */
export function taskNode(d: Draft, token: Token): TaskPlan {
  const node = d.node(token.nodeId);
  if (node.kind !== 'task') throw new Error(`Node ${JSON.stringify(node.id)} is no task.`);
  return node;
}

/**
 * The row of a visit. Callers assign the fields that only some rows have: spreading what may be absent copies the row
 * once more for each of them.
 */
function rowOf(
  d: Draft,
  node: TaskPlan,
  task: TaskRun,
  token: Token,
  of: Required<Pick<StepRow, 'phase' | 'outcome' | 'output' | 'final'>>,
): Mutable<StepRow> {
  const row: Mutable<StepRow> = {
    // The draft gives the row its ord.
    ord: 0,
    at: d.now,
    round: d.state.round,
    nodeId: node.id,
    index: node.index,
    phase: of.phase,
    visit: task.visit,
    // At least 1, also if the first call was blocked and never sent.
    attempt: Math.max(1, task.attempt),
    outcome: of.outcome,
    startedAt: task.startedAt,
    attemptAt: task.attemptAt,
    scope: token.scope,
    key: keyOf(d, node, task),
    output: of.output,
    final: of.final,
  };
  if (task.begunAt !== undefined) row.begunAt = task.begunAt;
  return row;
}

/** Records that the request of an async node was accepted. */
export function recordAccepted(d: Draft, token: Token, task: TaskRun, accepted: ResponseView): void {
  const node = taskNode(d, token);
  const row = rowOf(d, node, task, token, { phase: 'UP', outcome: 'succeeded', output: { accepted }, final: false });
  row.statusCode = accepted.status;
  if (task.parked === true) row.repeat = true;
  d.step(row);
}

/** Appends the final row of a successful visit: after its response, its callback, or an operator's decision. */
export function recordSuccess(
  d: Draft,
  token: Token,
  task: TaskRun,
  answer: { readonly response: ResponseView } | { readonly callback: { readonly body: Json } },
): StepRow {
  const node = taskNode(d, token);
  const phase = task.parked === true ? 'CALLBACK' : 'UP';
  const row = rowOf(d, node, task, token, { phase, outcome: 'succeeded', output: answer, final: true });
  if ('response' in answer) row.statusCode = answer.response.status;
  if (task.fingerprint !== undefined) row.fingerprint = task.fingerprint;
  if (node.call.mutating) row.effect = 'succeeded';
  if (node.compensation !== undefined) {
    const ord = d.state.ord + 1;
    row.undo = 'pending';
    row.undoRank = 2;
    row.undoSort = ord;
    row.prev = { nodeId: node.id, ord };
  }
  d.step(row);
  takeOver(d, task);
  noteCompleted(d, node.id);
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'task',
    mode: node.mode,
    outcome: 'succeeded',
    durationMillis: d.now - task.startedAt,
  });
  return row;
}

/**
 * Appends the final row of a failed visit: its outcome, its effect downstream and whether it is to be compensated.
 * `undo` is `pending` in the returned row if a compensation is due.
 */
export function recordFailure(
  d: Draft,
  token: Token,
  task: TaskRun,
  failure: AttemptFailure,
  answer: FailedAnswer = {},
): StepRow {
  const node = taskNode(d, token);
  // One attempt of unknown outcome makes the whole visit unknown, regardless of later attempts.
  const outcome = task.unknown === true ? 'unknown' : failure.outcome;
  const rank = undoRank(node, outcome);
  const { statusCode } = failure;
  const output = {
    failure: { outcome, reason: failure.reason, ...(statusCode === undefined ? undefined : { statusCode }) },
    ...answer,
  };
  const phase = task.parked === true ? 'CALLBACK' : 'UP';
  const row = rowOf(d, node, task, token, { phase, outcome, output, final: true });
  row.note = failure.description;
  if (statusCode !== undefined) row.statusCode = statusCode;
  if (task.fingerprint !== undefined) row.fingerprint = task.fingerprint;
  if (outcome === 'unknown' && node.call.mutating) row.effect = 'unknown';
  if (rank !== undefined) {
    row.undo = 'pending';
    row.undoRank = rank;
    row.undoSort = rank === 1 ? task.startOrd : d.state.ord + 1;
    if (token.prev !== undefined) row.prev = token.prev;
  }
  d.step(row);
  if (outcome === 'unknown') takeOver(d, task);
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'task',
    mode: node.mode,
    outcome,
    durationMillis: d.now - task.startedAt,
  });
  return row;
}

function undoRank(node: TaskPlan, outcome: StepRow['outcome']): UndoRank | undefined {
  if (node.compensation === undefined) return undefined;
  if (outcome === 'unknown' && node.compensateWhen !== 'completed') return 1;
  if (outcome === 'rejected' && node.compensateWhen === 'attempted') return 3;
  return undefined;
}

/** If the visit reused the key of an effect from an earlier round, moves that effect to this visit. */
function takeOver(d: Draft, task: TaskRun): void {
  if (task.supersedes !== undefined) d.mark({ kind: 'set', ord: task.supersedes, undo: 'moved' });
}

/** Settles the visit of a token that is dropped without a call in flight, by what is known so far. */
export function settleDropped(d: Draft, token: Token): void {
  const { stage } = token;
  if (stage.kind === 'waiting') recordFailure(d, token, { ...stage.task, unknown: true }, abandoned);
  else if (stage.kind === 'backoff') {
    const { task } = stage;
    recordFailure(d, token, task, task.failure ?? (task.blocked === undefined ? abandoned : neverSent));
  }
}

const neverSent: AttemptFailure = {
  outcome: 'unsent',
  reason: 'unsent',
  description: 'Given up while the call was blocked: it never went out.',
};

const abandoned: AttemptFailure = {
  outcome: 'unknown',
  reason: 'cancelled',
  description: 'Given up while waiting, since the execution did not go on.',
};
