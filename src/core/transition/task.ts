import type { ResponseView } from '../context/context.ts';
import type { Draft } from '../draft.ts';
import type { Mutable } from '../value/mutable.ts';
import type { CallbackPlan } from '../plan.ts';
import type { AttemptFailure, TaskRun, Token } from '../state.ts';
import { type CallOwner, type FailedAnswer, retryBy, send } from './attempt.ts';
import { drainOf, failToken } from './failure.ts';
import { goTo } from './route.ts';
import { keyOf, recordAccepted, recordFailure, recordSuccess, settleDropped, taskNode } from './settle.ts';

/**
 * The visit of a task as an owner of calls.
 *
 * calling -> (accepted) waiting -> completed | (failure) backoff -> calling | failed. A retry after a callback that
 * reported failure is a new operation with a new key and token; every other retry repeats the operation.
 */
export const visits: CallOwner<TaskRun> = {
  phase: 'UP',
  nodeIdOf: (token) => token.nodeId,
  visitOf: (task) => task.visit,
  roundOf: (d) => d.state.round,
  keyOf: (d, token, task) => keyOf(d, taskNode(d, token), task),
  callOf: (d, token) => taskNode(d, token).call,
  undoesUnknown: () => false,

  // The failure is kept until the next answer: if this call is blocked, it is the latest known result of the visit.
  nextAttempt(d, task, callId) {
    const signed = task.nonce === undefined ? undefined : signedBy(d, task.keyId);
    const next = { ...task, ...signed, attempt: task.attempt + 1, attemptAt: d.now };
    return task.attempt === 0 ? { ...next, startOrd: callId } : next;
  },

  calling: (_token, task, callId) => ({ kind: 'calling', callId, task }),

  nextTry(d, token, task, failure, retryAfterMillis) {
    if (drainOf(d, token) !== undefined) return undefined;
    return retryBy(d, taskNode(d, token).retry, task, failure, 'forward', retryAfterMillis);
  },

  retry(d, token, task, failure, { retries, waits, until }) {
    const run = failedRun(task, failure);
    if (failure.error === 'callback_failure') recordRefusal(d, token, run, failure);
    const next = failure.error === 'callback_failure' ? newOperation(d, run) : run;
    d.move(token, { kind: 'backoff', since: d.now, until, task: { ...next, retries, waits } });
  },

  succeeded(d, token, task, response) {
    const { callback } = taskNode(d, token);
    if (callback !== undefined) accept(d, token, task, response, callback);
    else completeTask(d, token, task, { response });
  },

  exhausted(d, token, task, failure, answer) {
    failVisit(d, token, failedRun(task, failure), failure, answer);
  },

  block(d, token, task, until) {
    rest(d, d.move(token, { kind: 'backoff', since: d.now, until, task: notSent(task) }));
  },

  interrupted(d, token, run, failure) {
    const task = { ...run, unknown: true, failure };
    rest(d, d.move(token, { kind: 'backoff', since: d.now, until: d.now, task, redelivery: true }));
  },
};

/** Begins a visit; its first call is sent with the checkpoint. */
export function startTask(d: Draft, token: Token, visit: number): void {
  const node = taskNode(d, token);
  const callId = d.newCallId();
  const task: Mutable<TaskRun> = {
    visit,
    startOrd: callId,
    startedAt: d.now,
    attemptAt: d.now,
    attempt: 1,
    retries: 0,
    waits: 0,
    operation: 1,
  };
  if (node.mode === 'async') Object.assign(task, { nonce: d.env.nonce(), ...signedBy(d, undefined) });
  send(d, visits, token, task, callId);
}

/** Settles and removes a waiting token whose scope fails, since its call will not be repeated. */
function rest(d: Draft, token: Token): void {
  if (drainOf(d, token) === undefined) return;
  settleDropped(d, token);
  d.remove(token);
}

/**
 * Discards the fingerprint and the reused key of a visit whose first call was not sent: both are determined again when
 * it is.
 */
function notSent(task: TaskRun): TaskRun {
  if (task.attempt > 0) return task;
  const { fingerprint: _fingerprint, key: _key, supersedes: _supersedes, begunAt: _begunAt, ...run } = task;
  return run;
}

function failedRun(task: TaskRun, failure: AttemptFailure): TaskRun {
  return { ...task, failure, ...(failure.outcome === 'unknown' ? { unknown: true } : undefined) };
}

function accept(d: Draft, token: Token, task: TaskRun, response: ResponseView, callback: CallbackPlan): void {
  recordAccepted(d, token, task, response);
  const parked: TaskRun = { ...task, accepted: true, parked: true };
  if (drainOf(d, token) !== undefined) {
    // The callback is not awaited, so the effect downstream is unknown.
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

/** Completes a successful visit and moves the token on. */
export function completeTask(d: Draft, token: Token, task: TaskRun, answer: Parameters<typeof recordSuccess>[3]): void {
  const row = recordSuccess(d, token, task, answer);
  const drained = drainOf(d, token) !== undefined;
  const done = d.put({ ...token, stage: { kind: 'ready' }, prev: { nodeId: row.nodeId, ord: row.ord } });
  if (drained) d.remove(done);
  else goTo(d, done, taskNode(d, token).next);
}

/** Records a callback that reported failure while the visit continues; nothing else in the history would show it. */
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

/** Begins a new operation after a callback that reported failure. The effect of the previous operation is settled. */
function newOperation(d: Draft, task: TaskRun): TaskRun {
  const { accepted: _accepted, unknown: _unknown, key: _key, supersedes: _supersedes, begunAt: _at, ...rest } = task;
  return { ...rest, operation: task.operation + 1, nonce: d.env.nonce(), ...signedBy(d, undefined) };
}

/** The id of the key that signs the callback token: the one used before, if any. */
function signedBy(d: Draft, used: string | undefined): Pick<TaskRun, 'keyId'> {
  const keyId = d.env.callbackKey(used);
  return keyId === undefined ? {} : { keyId };
}

/** Settles a visit that has finally failed. */
export function failVisit(d: Draft, token: Token, task: TaskRun, failure: AttemptFailure, answer?: FailedAnswer): void {
  const row = recordFailure(d, token, task, failure, answer);
  const settled = d.move(token, { kind: 'ready' });
  failToken(d, settled, failure, { visit: task.visit, undoFirst: row.undo === 'pending' });
}
