import { placesOf } from '../context/scope.ts';
import { judge } from '../call/classify.ts';
import { nextRetry, type RetryCounters } from '../call/retry.ts';
import type { CallPhase, ResponseView } from '../context/context.ts';
import type { Answered, Draft } from '../draft.ts';
import type { Event } from '../event.ts';
import type { StepOutput, Waited } from '../history.ts';
import type { CallPlan, RetryPolicy } from '../plan.ts';
import type { AttemptFailure, Attempting, Blocked, Stage, Token } from '../state.ts';

/** Identifies the calls of an owner in the history, in commands and in signals. */
export interface CallNames<Run extends Attempting> {
  readonly phase: CallPhase;
  nodeIdOf(token: Token, run: Run): string;
  visitOf(run: Run): number;
  roundOf(d: Draft, run: Run): number;
  keyOf(d: Draft, token: Token, run: Run): string;
}

/**
 * An owner of calls: a visit, a compensation or a hook. The call machine in this file is the same for all of them; the
 * owner defines where its run is stored in the token, how its calls are retried, and what follows success and
 * exhaustion.
 *
 * send -> calling -> answered -> succeeded | retry -> repeat -> calling … | exhausted. A blocked or interrupted call
 * waits and is repeated without spending a retry.
 */
export interface CallOwner<Run extends Attempting = Attempting> extends CallNames<Run> {
  /** The call to make. Undefined if the owner no longer makes one; answers are then ignored. */
  callOf(d: Draft, token: Token, run: Run): CallPlan | undefined;
  /** Whether 404 and 410 mean that there was nothing to undo. */
  undoesUnknown(run: Run): boolean;
  /** Returns the run with the next attempt counted. */
  nextAttempt(d: Draft, run: Run, callId: number): Run;
  calling(token: Token, run: Run, callId: number): Stage;
  /** Decides when a failed attempt is repeated; undefined to give up. */
  nextTry(d: Draft, token: Token, run: Run, failure: AttemptFailure, retryAfterMillis?: number): NextTry | undefined;
  retry(d: Draft, token: Token, run: Run, failure: AttemptFailure, next: NextTry): void;
  succeeded(d: Draft, token: Token, run: Run, response: ResponseView): void;
  exhausted(d: Draft, token: Token, run: Run, failure: AttemptFailure, answer: FailedAnswer): void;
  /** Called when the call is blocked until `until`. `run` contains the block, and the attempt is not counted. */
  block(d: Draft, token: Token, run: Run, until: number, event: BlockedEvent): void;
  /** Called when the worker stopped before it recorded the answer. */
  interrupted(d: Draft, token: Token, run: Run, failure: AttemptFailure): void;
}

/** When a call is repeated, and the retry counters after that. */
export interface NextTry extends RetryCounters {
  readonly until: number;
  /** Whether this attempt is the first one after the end of the execution. */
  readonly isAfterEnd?: true;
}

/** The response of a failed call, or the body of its callback. */
export type FailedAnswer = Pick<StepOutput, 'response' | 'callback'>;

/** The event for a call that was blocked before it was sent. */
export type BlockedEvent = Extract<Event, { type: 'blocked' }>;

/** Sends the call together with the checkpoint. The attempt must already be counted in `run`. */
export function send<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  callId: number,
): void {
  d.move(token, owner.calling(token, run, callId));
  const nodeId = owner.nodeIdOf(token, run);
  const visit = owner.visitOf(run);
  const { phase } = owner;
  d.send({ type: 'call', callId, tokenId: token.id, phase, nodeId, visit, attempt: run.attempt }, token);
}

/** Makes the first or the next call. Repeating a blocked or interrupted call (`isRedelivery`) is not a retry. */
export function repeat<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  isRedelivery: boolean = false,
): void {
  if (run.attempt > 0 && run.blocked === undefined && !isRedelivery) {
    d.signal({ kind: 'retried', nodeId: owner.nodeIdOf(token, run), phase: owner.phase });
  }
  const callId = d.newCallId();
  send(d, owner, token, owner.nextAttempt(d, run, callId), callId);
}

/** Handles the answer of a call: records the attempt, then calls the owner on success and {@link failed} otherwise. */
export function answered<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  event: Answered,
): void {
  const call = owner.callOf(d, token, run);
  if (call === undefined) return;
  const settled = settledOf(run);
  const judged = judge(call, event, owner.undoesUnknown(run));
  if (judged.ok) {
    recordAttempt(d, owner, token, run, event, judged.response.status);
    owner.succeeded(d, token, settled, judged.response);
    return;
  }
  const { failure, response } = judged;
  recordAttempt(d, owner, token, run, event, failure.statusCode, failure);
  failed(d, owner, token, settled, failure, response === undefined ? {} : { response }, event.retryAfterMillis);
}

/** Handles a failed attempt: schedules a retry, or gives up. */
export function failed<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  failure: AttemptFailure,
  answer: FailedAnswer,
  retryAfterMillis?: number,
): void {
  const next = owner.nextTry(d, token, run, failure, retryAfterMillis);
  d.signal({
    kind: 'attempt',
    nodeId: owner.nodeIdOf(token, run),
    phase: owner.phase,
    outcome: failure.outcome,
    reason: failure.reason,
    description: failure.logged ?? failure.description,
    willRetry: next !== undefined,
  });
  if (next === undefined) owner.exhausted(d, token, run, failure, answer);
  else owner.retry(d, token, run, failure, next);
}

/** Handles a call that was blocked: records nothing, and spends no attempt, retry or wait. */
export function blocked<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  event: BlockedEvent,
): void {
  const { cause, detail, host, holdId } = event;
  const why: Blocked = {
    since: run.blocked?.since ?? d.now,
    cause,
    detail,
    ...(host === undefined ? undefined : { host }),
    ...(holdId === undefined ? undefined : { holdId }),
  };
  // At least one millisecond later than now; a token that is due immediately would be tried in a busy loop.
  const until = Math.max(Math.ceil(event.until), d.now + 1);
  owner.block(d, token, { ...run, attempt: run.attempt - 1, blocked: why }, until, event);
}

/**
 * Handles a call whose worker stopped before it recorded the answer. The call is repeated with the same idempotency key
 * and spends no retry.
 */
export function interrupted<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  callId: number,
): void {
  const failure = unseen('The worker stopped before the answer was recorded.');
  recordAttempt(d, owner, token, run, { callId }, undefined, failure);
  owner.interrupted(d, token, settledOf(run), failure);
}

/** Records an attempt of unknown outcome whose answer is no longer awaited. Does not change the token. */
export function recordUnseen<Run extends Attempting>(
  d: Draft,
  names: CallNames<Run>,
  token: Token,
  run: Run,
  callId: number,
  description: string,
): AttemptFailure {
  const failure = unseen(description);
  recordAttempt(d, names, token, run, { callId }, undefined, failure);
  return failure;
}

function unseen(description: string): AttemptFailure {
  return { outcome: 'unknown', reason: 'connect', description };
}

/** Removes the block and the failure of the previous attempt from a run. */
function settledOf<Run extends Attempting>(run: Run): Run {
  if (run.blocked === undefined && run.failure === undefined) return run;
  const { blocked: _blocked, failure: _failure, ...rest } = run;
  return rest as unknown as Run;
}

/** When the policy repeats the call after this failure; undefined if it does not. */
export function retryBy(
  d: Draft,
  policy: RetryPolicy,
  run: Attempting,
  failure: AttemptFailure,
  direction: 'forward' | 'compensation',
  retryAfterMillis: number | undefined,
): NextTry | undefined {
  const retry = nextRetry(policy, run, failure, {
    direction,
    random: () => d.env.random(),
    maxRetryAfterMillis: d.env.limits.maxRetryAfterMillis,
    ...(retryAfterMillis === undefined ? undefined : { retryAfterMillis }),
  });
  if (retry === undefined) return undefined;
  return { retries: retry.retries, waits: retry.waits, until: d.now + retry.delayMillis };
}

function recordAttempt<Run extends Attempting>(
  d: Draft,
  names: CallNames<Run>,
  token: Token,
  run: Run,
  event: Pick<Answered, 'callId' | 'exchange'>,
  statusCode: number | undefined,
  failure?: AttemptFailure,
): void {
  const nodeId = names.nodeIdOf(token, run);
  const { stage } = token;
  const item = placesOf(stage.kind === 'unwinding' ? (stage.undo?.target.scope ?? token.scope) : token.scope);
  d.call({
    callId: event.callId,
    nodeId,
    index: names.phase === 'HOOK' ? -1 : d.node(nodeId).index,
    phase: names.phase,
    visit: names.visitOf(run),
    round: names.roundOf(d, run),
    attempt: run.attempt,
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { error: failure.description }),
    startedAt: run.startedAt,
    attemptAt: run.attemptAt,
    idempotencyKey: names.keyOf(d, token, run),
    ...(event.exchange === undefined ? undefined : { exchange: event.exchange }),
    ...(item === undefined ? undefined : { item }),
    ...(run.blocked === undefined ? undefined : { waited: waitedOf(run.blocked) }),
  });
}

function waitedOf({ detail: _detail, probe: _probe, ...waited }: Blocked): Waited {
  return waited;
}
