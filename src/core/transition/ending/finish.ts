import type { Draft } from '../../draft.ts';
import { endTold } from '../../family/end-told.ts';
import type { CallPlan } from '../../plan.ts';
import type { AttemptFailure, FailureReason, HookRun, TerminalStatus, Token, Verdict } from '../../state.ts';
import { type CallOwner, repeat, retryBy } from '../attempt.ts';
import {
  deliveredUntil,
  delivering,
  type HookFate,
  hookNames,
  nextDelivery,
  recordHook,
  settleHook,
} from './deliver.ts';
import { corruptedText } from './end-text.ts';

/** The terminal status that follows from the verdict and the failed compensations. */
export function finalStatus(verdict: Verdict, troubles: number): TerminalStatus {
  return troubles > 0 ? 'CORRUPTED' : verdict.status;
}

/**
 * Ends the execution once the verdict is final and no token is left: calls the hook first, or ends immediately if there
 * is none. A hook that is not delivered in time is delivered after the end (see `deliver.ts`).
 */
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
  if (d.env.advance) repeat(d, hooks, token, run);
}

function verdictHook(verdict: Verdict, troubles: number): HookRun['hook'] {
  return finalStatus(verdict, troubles) === 'SUCCEEDED' ? 'onSuccessCallback' : 'onFailureCallback';
}

function hookPlan(d: Draft, name: HookRun['hook']): CallPlan | undefined {
  return name === 'onSuccessCallback' ? d.plan.onSuccess : d.plan.onFailure;
}

/** The hook of the end of an execution as an owner of calls. Its result never changes the outcome of the execution. */
export const hooks: CallOwner<HookRun> = {
  ...hookNames,
  callOf: (d, _token, run) => (d.state.verdict === undefined ? undefined : hookPlan(d, run.hook)),
  undoesUnknown: () => false,

  nextAttempt(d, { failure: _failure, ...run }) {
    const held = run.blocked?.cause === 'hold' ? d.now - run.attemptAt : 0;
    return {
      ...run,
      attempt: run.attempt + 1,
      attemptAt: d.now,
      ...(held > 0 ? { heldMillis: (run.heldMillis ?? 0) + held } : undefined),
    };
  },

  calling: (_token, run, callId) => ({ kind: 'hook', run, callId }),

  nextTry(d, _token, run, failure, retryAfterMillis) {
    if (run.delivery !== undefined) return nextDelivery(d, run, failure, retryAfterMillis);
    const next = retryBy(d, d.plan.failureHandling, run, failure, 'forward', retryAfterMillis);
    if (next !== undefined && next.until <= triedUntil(d, run)) return next;
    const later = nextDelivery(d, delivering(d, run), failure, retryAfterMillis);
    return later && { ...later, isAfterEnd: true };
  },

  retry(d, token, run, failure, { retries, waits, until, isAfterEnd }) {
    if (isAfterEnd !== true) {
      d.move(token, { kind: 'hook', run: { ...run, failure, retries, waits }, until });
      return;
    }
    const later = { run: { ...delivering(d, run), failure, retries, waits }, until };
    giveUpHook(d, token, run, failure.description, { fate: fateOf(failure), later });
  },

  succeeded(d, token, run, response) {
    delete d.state.hookWarning;
    settleHook(d, run, true);
    endHook(d, token, run, { outcome: 'succeeded', statusCode: response.status, output: { response } });
  },

  exhausted(d, token, run, failure) {
    giveUpHook(d, token, run, failure.description, { fate: fateOf(failure), later: undefined });
  },

  // A held hook waits as long as the hold lasts. A hook with a failing host waits only until the end of its time before
  // or after the end of the execution.
  block(d, token, run, until, { cause, detail }) {
    const last = run.delivery === undefined ? triedUntil(d, run) : deliveredUntil(run);
    // The last attempt is made at the end of this time, even if the gate suggests a later one.
    if (cause === 'hold') d.move(token, { kind: 'hook', run, until });
    else if (last > d.now) d.move(token, { kind: 'hook', run, until: Math.min(until, last) });
    else keepHookBack(d, token, run, `not called: ${detail}`, until);
  },

  interrupted(d, token, run) {
    d.move(token, { kind: 'hook', run, until: d.now });
  },
};

/**
 * The end of the time for the hook before the execution ends. Time during which operators hold the hook does not count.
 */
function triedUntil(d: Draft, run: HookRun): number {
  return run.startedAt + (run.heldMillis ?? 0) + d.env.limits.hookMaxMillis;
}

function fateOf({ outcome, statusCode }: AttemptFailure): HookFate {
  return statusCode === undefined ? { outcome } : { outcome, statusCode };
}

/** The continuation of a hook's delivery after the end. */
interface Later {
  readonly run: HookRun;
  readonly until: number;
}

/**
 * Handles a hook that was not sent in time: ends the execution, and continues with a delivery at `until` if deliveries
 * are enabled.
 */
function keepHookBack(d: Draft, token: Token, run: HookRun, why: string, until: number): void {
  const begun = run.delivery === undefined && d.env.limits.hookDeliverMillis > 0 ? delivering(d, run) : undefined;
  const later = begun && { run: begun, until: Math.min(until, deliveredUntil(begun)) };
  giveUpHook(d, token, run, why, { fate: { outcome: 'unsent' }, later });
}

/**
 * Ends the execution although its hook was not delivered. `later` continues the delivery; without it, the hook is given
 * up.
 */
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

/** Ends the execution unless it is over already. */
function endAfterHook(d: Draft): void {
  const { verdict, end } = d.state;
  if (verdict !== undefined && end === undefined) endRun(d, verdict);
}

/** Ends the execution with the status that follows from the verdict. */
function endRun(d: Draft, verdict: Verdict): void {
  const status = finalStatus(verdict, d.state.troubles);
  const reason: FailureReason | undefined = status === 'CORRUPTED' ? 'compensation' : verdict.reason;
  const description = status === 'CORRUPTED' ? corruptedText(d.state, verdict) : verdict.description;
  endAs(d, status, reason, description);
}

/** Ends the execution with exactly this status. */
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
  if (d.header.parent !== undefined) {
    d.state.ends = (d.state.ends ?? 0) + 1;
    const told = endTold(d.header, d.state);
    if (told !== undefined) d.tell(told);
  }
  const isUndone = d.state.verdict?.reason === 'undone' ? { isUndone: true as const } : undefined;
  d.signal({ kind: 'finished', status, ...(reason === undefined ? undefined : { reason }), ...isUndone });
}
