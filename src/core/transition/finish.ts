/**
 * The end: once the verdict is certain and nothing moves any more, the hook, then the terminal status.
 */
import { judge } from '../classify.ts';
import type { Answered, Draft } from '../draft.ts';
import type { StepRow } from '../history.ts';
import { idempotencyKey } from '../keys.ts';
import type { CallPlan } from '../plan.ts';
import { nextRetry } from '../retry.ts';
import type { AttemptFailure, FailureReason, HookRun, Stage, TerminalStatus, Token, Verdict } from '../state.ts';
import { corruptedText } from './end-text.ts';

type Hook = Extract<Stage, { kind: 'hook' }>;

/** What the verdict and the compensations come to. */
export function finalStatus(verdict: Verdict, troubles: number): TerminalStatus {
  return troubles > 0 ? 'CORRUPTED' : verdict.status;
}

/** Starts the hook of the status, or ends at once where there is none. */
export function finish(d: Draft, verdict: Verdict): void {
  const name = verdictHook(verdict, d.state.troubles);
  if (hookPlan(d, name) === undefined) {
    endRun(d, verdict);
    return;
  }
  const visit = (Object.hasOwn(d.state.hookVisits, name) ? (d.state.hookVisits[name] ?? 0) : 0) + 1;
  d.state.hookVisits = { ...d.state.hookVisits, [name]: visit };
  delete d.state.hookWarning;
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
  const failure = judged.ok ? undefined : judged.failure;
  recordHookAttempt(d, run, event, statusCode, failure);
  if (failure !== undefined) {
    const retry = nextRetry(d.plan.failureHandling, run, failure, {
      direction: 'forward',
      random: () => d.env.random(),
      maxRetryAfterMillis: d.env.limits.maxRetryAfterMillis,
      ...(event.retryAfterMillis === undefined ? undefined : { retryAfterMillis: event.retryAfterMillis }),
    });
    const until = d.now + (retry?.delayMillis ?? 0);
    const again = retry !== undefined && until <= run.startedAt + (run.heldMillis ?? 0) + d.env.limits.hookMaxMillis;
    d.signal({
      kind: 'attempt',
      nodeId: run.hook,
      phase: 'HOOK',
      outcome: failure.outcome,
      reason: failure.reason,
      description: failure.logged ?? failure.description,
      willRetry: again,
    });
    if (again) {
      d.move(token, { kind: 'hook', run: { ...run, failure, retries: retry.retries, waits: retry.waits }, until });
      return;
    }
    d.state.hookWarning = `${run.hook} failed: ${failure.description}`;
  }
  endHook(d, token, run, {
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { note: failure.description }),
    ...(judged.ok ? { output: { response: judged.response } } : undefined),
  });
}

/** The hook was not delivered in its time. */
export function giveUpHook(d: Draft, token: Token, run: HookRun, why: string): void {
  d.state.hookWarning = `${run.hook} failed: ${why}`;
  endHook(d, token, run, { outcome: 'unsent', note: why });
}

function endHook(
  d: Draft,
  token: Token,
  run: HookRun,
  row: Pick<StepRow, 'outcome' | 'statusCode' | 'note' | 'output'>,
): void {
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
    ...row,
  });
  d.remove(token);
  const { verdict } = d.state;
  if (verdict !== undefined) endRun(d, verdict);
}

/** Appends the row of one attempt of a hook. */
export function recordHookAttempt(
  d: Draft,
  run: HookRun,
  event: Pick<Answered, 'callId' | 'exchange'>,
  statusCode: number | undefined,
  failure: AttemptFailure | undefined,
): void {
  d.call({
    callId: event.callId,
    nodeId: run.hook,
    index: -1,
    phase: 'HOOK',
    visit: run.visit,
    attempt: run.attempt,
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { error: failure.description }),
    startedAt: run.startedAt,
    attemptAt: run.attemptAt,
    idempotencyKey: idempotencyKey(d.header.id, d.state.round, run.hook, run.visit, 'HOOK'),
    ...(event.exchange === undefined ? undefined : { exchange: event.exchange }),
  });
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
  };
  d.signal({ kind: 'finished', status, ...(reason === undefined ? undefined : { reason }) });
}
