/**
 * The end: once the verdict is certain and nothing moves any more, the hook, then the terminal status. A hook that could not be
 * delivered in its time is delivered after it (see `deliver.ts`).
 */
import { judge } from '../call/classify.ts';
import type { Answered, Draft } from '../draft.ts';
import type { CallPlan } from '../plan.ts';
import { nextRetry } from '../call/retry.ts';
import type { AttemptFailure, FailureReason, HookRun, Stage, TerminalStatus, Token, Verdict } from '../state.ts';
import { deliveredUntil, delivering, nextDelivery, type NextTry } from './deliver.ts';
import { type HookFate, recordHook, recordHookAttempt, settleHook } from './hook-record.ts';
import { corruptedText } from './end-text.ts';

type Hook = Extract<Stage, { kind: 'hook' }>;

/** What the verdict and the compensations come to. */
export function finalStatus(verdict: Verdict, troubles: number): TerminalStatus {
  return troubles > 0 ? 'CORRUPTED' : verdict.status;
}

/** Starts the hook of the status, or ends at once where there is none. */
export function finish(d: Draft, verdict: Verdict): void {
  const name = verdictHook(verdict, d.state.troubles);
  delete d.state.hookWarning;
  delete d.state.hook;
  if (hookPlan(d, name) === undefined) {
    endRun(d, verdict);
    return;
  }
  const visit = (Object.hasOwn(d.state.hookVisits, name) ? (d.state.hookVisits[name] ?? 0) : 0) + 1;
  d.state.hookVisits = { ...d.state.hookVisits, [name]: visit };
  const run: HookRun = { hook: name, visit, startedAt: d.now, attemptAt: d.now, attempt: 0, retries: 0, waits: 0 };
  const token: Token = { id: d.newTokenId(), scope: '', nodeId: name, stage: { kind: 'hook', run, until: d.now } };
  d.put(token);
  if (d.env.advance) sendHook(d, token, run);
}

function verdictHook(verdict: Verdict, troubles: number): HookRun['hook'] {
  return finalStatus(verdict, troubles) === 'SUCCEEDED' ? 'onSuccessCallback' : 'onFailureCallback';
}

function hookPlan(d: Draft, name: HookRun['hook']): CallPlan | undefined {
  return name === 'onSuccessCallback' ? d.plan.onSuccess : d.plan.onFailure;
}

/** Calls the hook, for the first time or again. */
export function sendHook(d: Draft, token: Token, run: HookRun): void {
  if (run.attempt > 0 && run.blocked === undefined) d.signal({ kind: 'retried', nodeId: run.hook, phase: 'HOOK' });
  const { failure: _failure, ...rest } = run;
  const held = run.blocked?.cause === 'hold' ? d.now - run.attemptAt : 0;
  const next: HookRun = {
    ...rest,
    attempt: run.attempt + 1,
    attemptAt: d.now,
    ...(held > 0 ? { heldMillis: (run.heldMillis ?? 0) + held } : undefined),
  };
  const callId = d.newCallId();
  d.move(token, { kind: 'hook', run: next, callId });
  d.commands.push({
    type: 'call',
    callId,
    tokenId: token.id,
    phase: 'HOOK',
    nodeId: run.hook,
    visit: run.visit,
    attempt: next.attempt,
  });
}

/** The hook answered. Whatever it said, the outcome stays. */
export function answerHook(d: Draft, token: Token, stage: Hook, event: Answered): void {
  const { blocked: _blocked, ...run } = stage.run;
  const call = hookPlan(d, run.hook);
  if (call === undefined || d.state.verdict === undefined) return;
  const judged = judge(call, event);
  const statusCode = judged.ok ? judged.response.status : judged.failure.statusCode;
  const code = statusCode === undefined ? undefined : { statusCode };
  const failure = judged.ok ? undefined : judged.failure;
  recordHookAttempt(d, run, event, statusCode, failure);
  if (failure === undefined) {
    delete d.state.hookWarning;
    settleHook(d, run, true);
    endHook(d, token, run, {
      outcome: 'succeeded',
      ...code,
      ...(judged.ok ? { output: { response: judged.response } } : undefined),
    });
    return;
  }
  const next = run.delivery === undefined ? nextTry(d, run, failure, event) : nextDelivery(d, run, failure, event);
  const later = next === undefined && run.delivery === undefined ? firstDelivery(d, run, failure, event) : undefined;
  d.signal({
    kind: 'attempt',
    nodeId: run.hook,
    phase: 'HOOK',
    outcome: failure.outcome,
    reason: failure.reason,
    description: failure.logged ?? failure.description,
    willRetry: next !== undefined || later !== undefined,
  });
  if (next !== undefined) {
    const { until, retries, waits } = next;
    d.move(token, { kind: 'hook', run: { ...run, failure, retries, waits }, until });
    return;
  }
  giveUpHook(d, token, run, failure.description, { fate: { outcome: failure.outcome, ...code }, later });
}

/** When a hook that failed so is called again before the end; undefined when it is not. */
function nextTry(d: Draft, run: HookRun, failure: AttemptFailure, event: Answered): NextTry | undefined {
  const retry = nextRetry(d.plan.failureHandling, run, failure, {
    direction: 'forward',
    random: () => d.env.random(),
    maxRetryAfterMillis: d.env.limits.maxRetryAfterMillis,
    ...(event.retryAfterMillis === undefined ? undefined : { retryAfterMillis: event.retryAfterMillis }),
  });
  const until = d.now + (retry?.delayMillis ?? 0);
  if (retry === undefined || until > run.startedAt + (run.heldMillis ?? 0) + d.env.limits.hookMaxMillis)
    return undefined;
  return { retries: retry.retries, waits: retry.waits, until };
}

/** The delivery that begins with the end of the execution; undefined when the failure is not worth one. */
function firstDelivery(d: Draft, run: HookRun, failure: AttemptFailure, event: Answered): Later | undefined {
  const begun = delivering(d, run);
  const next = nextDelivery(d, begun, failure, event);
  if (next === undefined) return undefined;
  const { until, retries, waits } = next;
  return { run: { ...begun, failure, retries, waits }, until };
}

/** How the delivery of a hook goes on after the end. */
interface Later {
  readonly run: HookRun;
  readonly until: number;
}

/** The hook was not sent before its time was over. A delivery after the end tries it again by `until`, where it may. */
export function keepHookBack(d: Draft, token: Token, run: HookRun, why: string, until: number): void {
  const begun = run.delivery === undefined && d.env.limits.hookDeliverMillis > 0 ? delivering(d, run) : undefined;
  const later = begun && { run: begun, until: Math.min(until, deliveredUntil(begun)) };
  giveUpHook(d, token, run, why, { fate: { outcome: 'unsent' }, later });
}

/** The hook was not delivered in its time: the execution ends, and its delivery goes on as `later` says, or is given up. */
function giveUpHook(
  d: Draft,
  token: Token,
  run: HookRun,
  why: string,
  { fate, later }: { readonly fate: HookFate; readonly later: Later | undefined },
): void {
  d.state.hookWarning = `${run.hook} failed: ${why}`;
  if (later === undefined) {
    settleHook(d, run, false);
    endHook(d, token, run, { ...fate, note: why });
    return;
  }
  recordHook(d, run, { ...fate, note: why });
  d.move(token, { kind: 'hook', ...later });
  endAfterHook(d);
}

function endHook(d: Draft, token: Token, run: HookRun, fate: HookFate): void {
  recordHook(d, run, fate);
  d.remove(token);
  endAfterHook(d);
}

/** Ends the execution, unless that was its end before. */
function endAfterHook(d: Draft): void {
  const { verdict, end } = d.state;
  if (verdict !== undefined && end === undefined) endRun(d, verdict);
}

/** The terminal status. */
function endRun(d: Draft, verdict: Verdict): void {
  const status = finalStatus(verdict, d.state.troubles);
  const reason: FailureReason | undefined = status === 'CORRUPTED' ? 'compensation' : verdict.reason;
  const description = status === 'CORRUPTED' ? corruptedText(d.state, verdict) : verdict.description;
  endAs(d, status, reason, description);
}

/** Ends with exactly this status. */
export function endAs(
  d: Draft,
  status: TerminalStatus,
  reason: FailureReason | undefined,
  description: string | undefined,
): void {
  d.state.end = {
    status,
    ...(reason === undefined ? undefined : { reason }),
    ...(description === undefined ? undefined : { description }),
    at: d.now,
  };
  d.signal({ kind: 'finished', status, ...(reason === undefined ? undefined : { reason }) });
}
