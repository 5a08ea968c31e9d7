/**
 * A task's visit: call, judge, park or complete, retry or fail.
 *
 * calling -> (accepted) waiting -> completed | (failure) backoff -> calling | failed. A retry after a callback that said
 * failure is a new operation with a new key and token; every other retry repeats the operation.
 */
import type { ResponseView } from '../context/context.ts';
import type { Answered, Draft } from '../draft.ts';
import { judge } from '../call/classify.ts';
import type { CallbackPlan } from '../plan.ts';
import { nextRetry } from '../call/retry.ts';
import type { AttemptFailure, TaskRun, Token } from '../state.ts';
import { drainOf, failToken } from './failure.ts';
import { goTo } from './route.ts';
import { type FailedAnswer, keyOf, recordAccepted, recordFailure, recordSuccess, taskNode } from './settle.ts';

/** Begins a visit: its first call goes out with the checkpoint. */
export function startTask(d: Draft, token: Token, visit: number): void {
  const node = taskNode(d, token);
  const callId = d.newCallId();
  const task: TaskRun = {
    visit,
    startOrd: callId,
    startedAt: d.now,
    attemptAt: d.now,
    attempt: 1,
    retries: 0,
    waits: 0,
    operation: 1,
    ...(node.mode === 'async' ? { nonce: d.env.nonce(), ...signedBy(d, undefined) } : undefined),
  };
  sendCall(d, token, task, callId);
}

/** The wait before a retry, or of a blocked call, is over: calls (again). */
export function repeatTask(d: Draft, token: Token, task: TaskRun, redelivery: boolean): void {
  // A retry that was blocked has been counted when it was tried first.
  if (!redelivery && task.blocked === undefined) d.signal({ kind: 'retried', nodeId: token.nodeId, phase: 'UP' });
  const callId = d.newCallId();
  // The failure stays until the next answer: should this call be blocked, it is what is known of the visit.
  const signed = task.nonce === undefined ? undefined : signedBy(d, task.keyId);
  const next = { ...task, ...signed, attempt: task.attempt + 1, attemptAt: d.now };
  sendCall(d, token, task.attempt === 0 ? { ...next, startOrd: callId } : next, callId);
}

function sendCall(d: Draft, token: Token, task: TaskRun, callId: number): void {
  d.move(token, { kind: 'calling', callId, task });
  const { visit, attempt } = task;
  d.send({ type: 'call', callId, tokenId: token.id, phase: 'UP', nodeId: token.nodeId, visit, attempt }, token);
}

/** A call that the token waits for was answered. */
export function answerTask(d: Draft, token: Token, run: TaskRun, event: Answered): void {
  const task = settledOf(run);
  const node = taskNode(d, token);
  const judged = judge(node.call, event);
  recordAttempt(
    d,
    token,
    task,
    event,
    judged.ok ? judged.response.status : undefined,
    judged.ok ? undefined : judged.failure,
  );
  if (!judged.ok) {
    attemptFailed(d, token, task, judged.failure, {
      ...(judged.response === undefined ? undefined : { response: judged.response }),
      ...(event.retryAfterMillis === undefined ? undefined : { retryAfterMillis: event.retryAfterMillis }),
    });
    return;
  }
  if (node.callback !== undefined) accept(d, token, task, judged.response, node.callback);
  else completeTask(d, token, task, { response: judged.response });
}

/** The visit without what its last answer, or the lack of one, left behind. */
function settledOf(run: TaskRun): TaskRun {
  if (run.blocked === undefined && run.failure === undefined) return run;
  const { blocked: _blocked, failure: _failure, ...task } = run;
  return task;
}

function accept(d: Draft, token: Token, task: TaskRun, response: ResponseView, callback: CallbackPlan): void {
  recordAccepted(d, token, task, response);
  const parked: TaskRun = { ...task, accepted: true, parked: true };
  if (drainOf(d, token) !== undefined) {
    // Nobody will wait for the callback: what it does downstream is unknown.
    const left = d.move(token, { kind: 'ready' });
    recordFailure(d, left, { ...parked, unknown: true }, notAwaited);
    d.remove(left);
    return;
  }
  d.move(token, { kind: 'waiting', since: d.now, until: d.now + callback.timeoutMillis, task: parked });
}

const notAwaited: AttemptFailure = {
  outcome: 'unknown',
  reason: 'cancelled',
  description: 'Accepted after the execution had begun to fail, so its callback is not awaited.',
};

/** The visit succeeded; the token goes on. */
export function completeTask(d: Draft, token: Token, task: TaskRun, answer: Parameters<typeof recordSuccess>[3]): void {
  const row = recordSuccess(d, token, task, answer);
  const drained = drainOf(d, token) !== undefined;
  const done = d.put({ ...token, stage: { kind: 'ready' }, prev: { nodeId: row.nodeId, ord: row.ord } });
  if (drained) d.remove(done);
  else goTo(d, done, taskNode(d, token).next);
}

/** An attempt, or the wait for its callback, failed: repeat it or fail the visit. */
export function attemptFailed(
  d: Draft,
  token: Token,
  task: TaskRun,
  failure: AttemptFailure,
  answer: FailedAnswer & { readonly retryAfterMillis?: number } = {},
): void {
  const node = taskNode(d, token);
  const failed: TaskRun = {
    ...task,
    failure,
    ...(failure.outcome === 'unknown' ? { unknown: true } : undefined),
  };
  const retry =
    drainOf(d, token) === undefined
      ? nextRetry(node.retry, task, failure, {
          direction: 'forward',
          random: () => d.env.random(),
          maxRetryAfterMillis: d.env.limits.maxRetryAfterMillis,
          ...(answer.retryAfterMillis === undefined ? undefined : { retryAfterMillis: answer.retryAfterMillis }),
        })
      : undefined;
  d.signal({
    kind: 'attempt',
    nodeId: node.id,
    phase: 'UP',
    outcome: failure.outcome,
    reason: failure.reason,
    description: failure.logged ?? failure.description,
    willRetry: retry !== undefined,
  });
  const { retryAfterMillis: _wait, ...answered } = answer;
  if (retry !== undefined) {
    if (failure.error === 'callback_failure') recordRefusal(d, token, failed, failure);
    const next = failure.error === 'callback_failure' ? newOperation(d, failed) : failed;
    d.move(token, {
      kind: 'backoff',
      since: d.now,
      until: d.now + retry.delayMillis,
      task: { ...next, retries: retry.retries, waits: retry.waits },
    });
    return;
  }
  failVisit(d, token, failed, failure, answered);
}

/** A callback said no and the visit goes on: the history would not show it otherwise. */
function recordRefusal(d: Draft, token: Token, task: TaskRun, failure: AttemptFailure): void {
  const node = taskNode(d, token);
  d.step({
    nodeId: node.id,
    index: node.index,
    phase: 'CALLBACK',
    visit: task.visit,
    attempt: task.attempt,
    outcome: failure.outcome,
    startedAt: task.startedAt,
    attemptAt: task.attemptAt,
    scope: token.scope,
    final: false,
    note: failure.description,
  });
}

/** The callback said no: what was done under this operation is settled, the next call is another operation. */
function newOperation(d: Draft, task: TaskRun): TaskRun {
  const { accepted: _accepted, unknown: _unknown, key: _key, supersedes: _supersedes, ...rest } = task;
  return { ...rest, operation: task.operation + 1, nonce: d.env.nonce(), ...signedBy(d, undefined) };
}

/** The key of the token, the one used before if there is one. */
function signedBy(d: Draft, used: string | undefined): Pick<TaskRun, 'keyId'> {
  const keyId = d.env.callbackKey(used);
  return keyId === undefined ? {} : { keyId };
}

/** The visit failed for good. */
export function failVisit(d: Draft, token: Token, task: TaskRun, failure: AttemptFailure, answer?: FailedAnswer): void {
  const row = recordFailure(d, token, task, failure, answer);
  const settled = d.move(token, { kind: 'ready' });
  failToken(d, settled, failure, { visit: task.visit, undoFirst: row.undo === 'pending' });
}

/** Appends the row of one attempt of a forward call. */
export function recordAttempt(
  d: Draft,
  token: Token,
  task: TaskRun,
  event: Pick<Answered, 'callId' | 'exchange'>,
  status: number | undefined,
  failure: AttemptFailure | undefined,
): void {
  const node = taskNode(d, token);
  const statusCode = status ?? failure?.statusCode;
  d.call({
    callId: event.callId,
    nodeId: node.id,
    index: node.index,
    phase: 'UP',
    visit: task.visit,
    attempt: task.attempt,
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { error: failure.description }),
    startedAt: task.startedAt,
    attemptAt: task.attemptAt,
    idempotencyKey: keyOf(d, node, task),
    ...(event.exchange === undefined ? undefined : { exchange: event.exchange }),
  });
}
