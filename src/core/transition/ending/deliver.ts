import { deliveryOf } from '../../delivery.ts';
import type { Draft } from '../../draft.ts';
import type { RetryPolicy } from '../../plan.ts';
import type { AttemptFailure, HookRun } from '../../state.ts';
import { idempotencyKey } from '../../call/keys.ts';
import type { StepRow } from '../../history.ts';
import { type CallNames, type NextTry, recordUnseen, retryBy } from '../attempt.ts';

/** Identifies the calls of a hook. */
export const hookNames: CallNames<HookRun> = {
  phase: 'HOOK',
  nodeIdOf: (_token, run) => run.hook,
  visitOf: (run) => run.visit,
  roundOf: (d) => d.state.round,
  keyOf: (d, _token, run) => idempotencyKey(d.header.id, d.state.round, run.hook, run.visit, 'HOOK'),
};

/** The outcome of a hook so far, for its step row. */
export type HookFate = Pick<StepRow, 'outcome' | 'statusCode' | 'note' | 'output'>;

/** Appends the row of a hook: when the execution ends, and again when a later delivery has ended. */
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

/** Records the final result of a hook that is no longer called. */
export function settleHook(d: Draft, run: HookRun, isDelivered: boolean): void {
  const { hook, visit, startedAt, attemptAt, attempt } = run;
  d.state.hook = { hook, visit, startedAt, attemptAt, attempt, isDelivered };
  const late = run.delivery === undefined ? 'delivered' : 'late';
  d.signal({ kind: 'hookEnded', nodeId: hook, result: isDelivered ? late : 'failed', attempts: attempt });
}

/** Delay before the second call of a delivery. */
const firstDelayMillis = 5_000;
/** Maximum delay between two calls; with jitter of up to a fifth, this makes ten minutes. */
const maxDelayMillis = 500_000;
const jitterRatio = 0.2;

/**
 * The retry policy of deliveries. `retryOn` comes from the definition; its number of attempts does not apply, since a
 * delivery is limited only by time.
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

/**
 * The end of the delivery time of a hook, in ms since 1970. Time during which operators hold the hook does not count.
 */
export function deliveredUntil(run: HookRun): number {
  return (run.delivery?.until ?? 0) + (run.heldMillis ?? 0);
}

/**
 * Starts the delivery of a hook after the end of the execution. A hook that could not be delivered while the execution
 * ended is called again, with growing delays, until it is delivered or `limits.hookDeliverMillis` has passed.
 *
 * failed or blocked within `limits.hookMaxMillis` -> the execution ends -> waiting -> calling -> waiting … -> delivered
 * or failed
 *
 * The execution is over meanwhile; only this token changes. A retry of the execution, or the settling of its last
 * compensation, reopens it and drops the delivery.
 */
export function delivering(d: Draft, run: HookRun): HookRun {
  const { heldMillis: _held, failure: _failure, ...rest } = run;
  return { ...rest, retries: 0, waits: 0, delivery: { until: d.now + d.env.limits.hookDeliverMillis } };
}

/**
 * Decides when the hook is called again after a failure; undefined if the delivery is given up. The last call is made
 * at the end of the delivery time.
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

/**
 * Calls the hook of the end again immediately, and continues its delivery from there. Does nothing if there is no hook,
 * or if it was delivered and `force` is false.
 */
export function redeliver(d: Draft, force: boolean): void {
  const { end, hook } = d.state;
  const token = deliveryOf({ end, tokens: d.tokens });
  if (token !== undefined) {
    // The requested call is already in progress.
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
 * Records an attempt of unknown outcome for a hook call in flight: a change of the execution fenced the worker that
 * made the call, so its answer is lost. The next call is delayed as after a failure, so that the two do not overlap.
 */
export function interruptDelivery(d: Draft, why: string): void {
  const token = deliveryOf({ end: d.state.end, tokens: d.tokens });
  if (token?.stage.callId === undefined) return;
  const { run, callId } = token.stage;
  const failure = recordUnseen(d, hookNames, token, run, callId, why);
  d.move(token, { kind: 'hook', run: { ...run, failure }, until: d.now + firstDelayMillis });
}

/**
 * Drops the hook of the previous end, because the execution continues and that end is no longer valid. `why` is a
 * sentence.
 */
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
