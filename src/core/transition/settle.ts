import type { ResponseView } from '../context/context.ts';
import type { Draft } from '../draft.ts';
import type { StepRow, UndoRank } from '../history.ts';
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

function base(
  node: TaskPlan,
  task: TaskRun,
  token: Token,
): Pick<StepRow, 'nodeId' | 'index' | 'visit' | 'attempt' | 'startedAt' | 'attemptAt' | 'scope'> {
  return {
    nodeId: node.id,
    index: node.index,
    visit: task.visit,
    // At least 1, also if the first call was blocked and never sent.
    attempt: Math.max(1, task.attempt),
    startedAt: task.startedAt,
    attemptAt: task.attemptAt,
    scope: token.scope,
  };
}

/** Records that the request of an async node was accepted. */
export function recordAccepted(d: Draft, token: Token, task: TaskRun, accepted: ResponseView): void {
  const node = taskNode(d, token);
  d.step({
    ...base(node, task, token),
    phase: 'UP',
    outcome: 'succeeded',
    statusCode: accepted.status,
    key: keyOf(d, node, task),
    output: { accepted },
    final: false,
    ...(task.parked === true ? { repeat: true } : undefined),
  });
}

/** Appends the final row of a successful visit: after its response, its callback, or an operator's decision. */
export function recordSuccess(
  d: Draft,
  token: Token,
  task: TaskRun,
  answer: { readonly response: ResponseView } | { readonly callback: { readonly body: Json } },
): StepRow {
  const node = taskNode(d, token);
  const ord = d.state.ord + 1;
  const row = d.step({
    ...base(node, task, token),
    phase: task.parked === true ? 'CALLBACK' : 'UP',
    outcome: 'succeeded',
    ...('response' in answer ? { statusCode: answer.response.status } : undefined),
    key: keyOf(d, node, task),
    output: answer,
    final: true,
    ...(task.fingerprint === undefined ? undefined : { fingerprint: task.fingerprint }),
    ...(node.call.mutating ? { effect: 'succeeded' as const } : undefined),
    ...(node.compensation === undefined
      ? undefined
      : { undo: 'pending' as const, undoRank: 2 as const, undoSort: ord, prev: { nodeId: node.id, ord } }),
  });
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
  const ord = d.state.ord + 1;
  const row = d.step({
    ...base(node, task, token),
    phase: task.parked === true ? 'CALLBACK' : 'UP',
    outcome,
    ...(failure.statusCode === undefined ? undefined : { statusCode: failure.statusCode }),
    key: keyOf(d, node, task),
    output: {
      failure: {
        outcome,
        reason: failure.reason,
        ...(failure.statusCode === undefined ? undefined : { statusCode: failure.statusCode }),
      },
      ...answer,
    },
    final: true,
    note: failure.description,
    ...(task.fingerprint === undefined ? undefined : { fingerprint: task.fingerprint }),
    ...(outcome === 'unknown' && node.call.mutating ? { effect: 'unknown' as const } : undefined),
    ...(rank === undefined
      ? undefined
      : {
          undo: 'pending' as const,
          undoRank: rank,
          undoSort: rank === 1 ? task.startOrd : ord,
          ...(token.prev === undefined ? undefined : { prev: token.prev }),
        }),
  });
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
  if (task.supersedes !== undefined) d.undo.push({ kind: 'set', ord: task.supersedes, undo: 'moved' });
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
