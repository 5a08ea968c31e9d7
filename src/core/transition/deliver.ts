/**
 * The delivery of a hook after the end: a hook that was not delivered while the execution ended is called again, with a
 * growing delay, until it is delivered or its time is over.
 *
 * failed or blocked within `limits.hookMaxMillis` -> the execution ends -> waiting -> calling -> waiting … -> delivered or failed
 *
 * The execution is over meanwhile, and only this one token changes. A retry, or the settling of the last compensation, makes
 * the execution go on and gives up the delivery.
 */
import { deliveryOf } from '../delivery.ts';
import type { Draft } from '../draft.ts';
import type { RetryPolicy } from '../plan.ts';
import type { AttemptFailure, HookRun } from '../state.ts';
import { idempotencyKey } from '../call/keys.ts';
import type { StepRow } from '../history.ts';
import { type CallNames, type NextTry, recordUnseen, retryBy } from './attempt.ts';

/** What names the calls of a hook. */
export const hookNames: CallNames<HookRun> = {
  phase: 'HOOK',
  nodeIdOf: (_token, run) => run.hook,
  visitOf: (run) => run.visit,
  roundOf: (d) => d.state.round,
  keyOf: (d, _token, run) => idempotencyKey(d.header.id, d.state.round, run.hook, run.visit, 'HOOK'),
};

/** How a hook's calls went so far, as its row shows it. */
export type HookFate = Pick<StepRow, 'outcome' | 'statusCode' | 'note' | 'output'>;

/** Appends the row of a hook: at the end of the run, and again when a delivery after it has come to its end. */
export function recordHook(d: Draft, run: HookRun, fate: HookFate): void {
  d.step({
    nodeId: run.hook,
    index: -1,
    phase: 'HOOK',
    visit: run.visit,
    attempt: Math.max(1, run.attempt),
    startedAt: run.startedAt,
    attemptAt: run.attemptAt,
    scope: '',
    final: false,
    ...fate,
  });
}

/** The hook is called no more: keeps what became of it. */
export function settleHook(d: Draft, run: HookRun, isDelivered: boolean): void {
  const { hook, visit, startedAt, attemptAt, attempt } = run;
  d.state.hook = { hook, visit, startedAt, attemptAt, attempt, isDelivered };
  const late = run.delivery === undefined ? 'delivered' : 'late';
  d.signal({ kind: 'hookEnded', nodeId: hook, result: isDelivered ? late : 'failed', attempts: attempt });
}

/** The wait before the second call of a delivery. */
const firstDelayMillis = 5_000;
/** The longest wait between two calls; the jitter adds up to a fifth, which makes ten minutes. */
const maxDelayMillis = 500_000;
const jitterRatio = 0.2;

/**
 * The policy of deliveries. The definition says which failures are retried; its number of attempts does not apply, because
 * only time ends a delivery.
 */
function deliveryPolicy({ retryOn }: RetryPolicy): RetryPolicy {
  return {
    type: 'backoff',
    maxAttempts: Infinity,
    initialDelayMillis: firstDelayMillis,
    maxDelayMillis,
    multiplier: 2,
    jitterRatio,
    ...(retryOn === undefined ? undefined : { retryOn }),
  };
}

/** Until when the hook is delivered: the time for which operators hold it does not count. */
export function deliveredUntil(run: HookRun): number {
  return (run.delivery?.until ?? 0) + (run.heldMillis ?? 0);
}

/** The run of a hook whose delivery begins now, for as long as is configured. */
export function delivering(d: Draft, run: HookRun): HookRun {
  const { heldMillis: _held, failure: _failure, ...rest } = run;
  return { ...rest, retries: 0, waits: 0, delivery: { until: d.now + d.env.limits.hookDeliverMillis } };
}

/**
 * When the hook is called again after such a failure, and what that costs; undefined when the delivery is given up. The last
 * call is made at the end of the delivery's time.
 */
export function nextDelivery(
  d: Draft,
  run: HookRun,
  failure: AttemptFailure,
  retryAfterMillis: number | undefined,
): NextTry | undefined {
  const last = deliveredUntil(run);
  if (d.now >= last) return undefined;
  const next = retryBy(d, deliveryPolicy(d.plan.failureHandling), run, failure, 'forward', retryAfterMillis);
  return next && { ...next, until: Math.min(Math.max(d.now + 1, next.until), last) };
}

/** Calls the hook of the end once more, at once, and goes on with its delivery from there. Does nothing where it cannot. */
export function redeliver(d: Draft, force: boolean): void {
  const { end, hook } = d.state;
  const token = deliveryOf({ end, tokens: d.tokens });
  if (token !== undefined) {
    // A call under way is what was asked for.
    if (token.stage.callId !== undefined) return;
    d.move(token, { kind: 'hook', run: delivering(d, token.stage.run), until: d.now });
    return;
  }
  if (end === undefined || hook === undefined || (hook.isDelivered && !force)) return;
  const { isDelivered: _isDelivered, ...called } = hook;
  const run = delivering(d, { ...called, retries: 0, waits: 0 });
  delete d.state.hook;
  d.put({ id: d.newTokenId(), scope: '', nodeId: run.hook, stage: { kind: 'hook', run, until: d.now } });
}

/**
 * A change of the execution fenced the worker that calls its hook, so the answer of that call is lost: records an attempt of
 * unknown outcome. The next call waits as after a failure, so that the two are not under way at once.
 */
export function interruptDelivery(d: Draft, why: string): void {
  const token = deliveryOf({ end: d.state.end, tokens: d.tokens });
  if (token?.stage.callId === undefined) return;
  const { run, callId } = token.stage;
  const failure = recordUnseen(d, hookNames, token, run, callId, why);
  d.move(token, { kind: 'hook', run: { ...run, failure }, until: d.now + firstDelayMillis });
}

/** The execution goes on: drops the hook of its former end, which is not true any more. `why` is a sentence. */
export function dropHook(d: Draft, why: string): void {
  const token = deliveryOf({ end: d.state.end, tokens: d.tokens });
  if (token !== undefined) {
    const { run, callId } = token.stage;
    const outcome = callId === undefined ? 'unsent' : 'unknown';
    if (callId !== undefined) recordUnseen(d, hookNames, token, run, callId, why);
    recordHook(d, run, { outcome, note: why });
    d.remove(token);
    d.signal({ kind: 'hookEnded', nodeId: run.hook, result: 'dropped', attempts: run.attempt });
  }
  delete d.state.hook;
  delete d.state.hookWarning;
}
