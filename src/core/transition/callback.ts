import { conditionContext } from '../context/context-of.ts';
import type { Draft } from '../draft.ts';
import type { Env } from '../run.ts';
import type { CallbackEvent } from '../event.ts';
import type { Json } from '../value/json.ts';
import type { Meter } from '../meter.ts';
import type { TaskPlan } from '../plan.ts';
import type { AttemptFailure, State, TaskRun, Token } from '../state.ts';
import { failed, recordUnseen } from './attempt.ts';
import { drainOf } from './failure.ts';
import { taskNode } from './settle.ts';
import { completeTask, visits } from './task.ts';

/**
 * The operation that a callback belongs to: one that waits for it, one that has not started to wait yet (`early`), or
 * none.
 */
export type Addressee =
  | { readonly kind: 'waiting'; readonly token: Token; readonly task: TaskRun }
  | { readonly kind: 'early'; readonly token: Token; readonly task: TaskRun }
  | { readonly kind: 'none' };

/** Finds the operation that a callback answers. */
export function addressee(
  state: State,
  callback: Pick<CallbackEvent, 'round' | 'nodeId' | 'visit' | 'operation' | 'nonce'>,
): Addressee {
  if (state.end !== undefined || state.verdict !== undefined || callback.round !== state.round) return { kind: 'none' };
  for (const token of state.tokens) {
    const { stage } = token;
    if (token.nodeId !== callback.nodeId) continue;
    if (stage.kind !== 'calling' && stage.kind !== 'backoff' && stage.kind !== 'waiting') continue;
    const { task } = stage;
    if (task.visit !== callback.visit || task.operation !== callback.operation || task.nonce !== callback.nonce)
      continue;
    // A retry after a callback timeout repeats an accepted operation, whose callback still decides the outcome.
    const ready = stage.kind === 'waiting' || task.accepted === true;
    return { kind: ready ? 'waiting' : 'early', token, task };
  }
  return { kind: 'none' };
}

/** Applies a callback that has arrived, or that was kept in the inbox until now. */
export function applyCallback(d: Draft, event: CallbackEvent): void {
  d.state.tokens = d.tokens;
  const to = addressee(d.state, event);
  if (to.kind === 'early') return;
  d.consume(event.inboxId);
  if (to.kind === 'none' || drainOf(d, to.token) !== undefined) {
    ignore(d, event);
    return;
  }
  const { token, task } = to;
  if (event.pending) {
    note(d, event, token, task.attempt, 'The callback was judged pending: still waiting.');
    return;
  }
  if (token.stage.kind === 'calling') {
    const { callId } = token.stage;
    d.command({ type: 'abort', callId });
    recordUnseen(d, visits, token, task, callId, 'Given up, since the callback of an earlier attempt had come.');
  }
  const node = taskNode(d, token);
  const failure = judgeCallback(d, token, node, event.body);
  if (failure === undefined) completeTask(d, token, task, { callback: { body: event.body } });
  else {
    // A reported failure resolves the unknown outcome of this operation.
    const { unknown: _unknown, ...settled } = task;
    failed(d, visits, token, settled, failure, { callback: { body: event.body } });
  }
}

/**
 * Evaluates the conditions of a callback that is not pending. Returns the failure, or undefined for success. A
 * condition that cannot be evaluated counts as failure.
 */
function judgeCallback(d: Draft, token: Token, node: TaskPlan, body: Json): AttemptFailure | undefined {
  const context = conditionContext(d.run, token, d.env);
  for (const name of ['pendingWhen', 'failureWhen', 'successWhen'] as const) {
    const condition = node.callback?.[name];
    if (condition === undefined) continue;
    const result = condition.evaluate(context, { callbackBody: body, meter: d });
    if (!result.ok) {
      d.signal({ kind: 'warning', nodeId: node.id, message: result.error });
      return callbackFailure(`The condition ${name} could not be evaluated: ${result.error}`);
    }
    if (name === 'failureWhen' && result.truthy) return callbackFailure('The callback said failure.');
    if (name === 'successWhen' && !result.truthy) return callbackFailure('The callback did not say success.');
  }
  return undefined;
}

function callbackFailure(description: string): AttemptFailure {
  return { outcome: 'rejected', reason: 'callback_failure', error: 'callback_failure', description };
}

/**
 * Whether `pendingWhen` holds, so that the node keeps waiting. If it cannot be evaluated, it counts as false, and the
 * callback will be judged as a failure.
 */
export function isPending(
  run: Draft['run'],
  token: Token,
  body: Json,
  env: Pick<Env, 'variable'>,
  meter?: Meter,
): boolean {
  const node = run.plan.nodes.get(token.nodeId);
  const condition = node?.kind === 'task' ? node.callback?.pendingWhen : undefined;
  if (condition === undefined) return false;
  const extra = meter === undefined ? { callbackBody: body } : { callbackBody: body, meter };
  const result = condition.evaluate(conditionContext(run, token, env), extra);
  return result.ok && result.truthy;
}

/** Handles the timeout of a callback. */
export function timeOutCallback(d: Draft, token: Token, task: TaskRun): void {
  d.signal({ kind: 'callbackTimeout', nodeId: token.nodeId });
  const failure: AttemptFailure = {
    outcome: 'unknown',
    reason: 'callback_timeout',
    error: 'callback_timeout',
    description: 'No callback came in time.',
  };
  failed(d, visits, token, task, failure, {});
}

function ignore(d: Draft, event: CallbackEvent): void {
  d.signal({ kind: 'callbackIgnored', nodeId: event.nodeId });
  note(d, event, undefined, 0, 'The callback came too late, or for a request that was rejected: ignored.');
}

function note(d: Draft, event: CallbackEvent, token: Token | undefined, attempt: number, text: string): void {
  const index = d.plan.nodes.get(event.nodeId)?.index ?? -1;
  d.step({
    nodeId: event.nodeId,
    index,
    phase: 'CALLBACK',
    visit: event.visit,
    round: event.round,
    attempt,
    outcome: 'pending',
    startedAt: d.now,
    attemptAt: d.now,
    scope: token?.scope ?? '',
    final: false,
    note: text,
  });
}
