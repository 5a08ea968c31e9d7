import { judge } from '../call/classify.ts';
import { nextRetry, type RetryCounters } from '../call/retry.ts';
import type { CallPhase, ResponseView } from '../context/context.ts';
import type { Answered, Draft } from '../draft.ts';
import type { Event } from '../event.ts';
import type { StepOutput } from '../history.ts';
import type { CallPlan, RetryPolicy } from '../plan.ts';
import type { AttemptFailure, Attempting, Stage, Token } from '../state.ts';

/** What names the calls of an owner in the history, in commands and in signals. */
export interface CallNames<Run extends Attempting> {
  readonly phase: CallPhase;
  nodeIdOf(token: Token, run: Run): string;
  visitOf(run: Run): number;
  roundOf(d: Draft, run: Run): number;
  keyOf(d: Draft, token: Token, run: Run): string;
}

/**
 * An owner of calls: a visit, a compensation or a hook. The call machine of this file is the same for all of them; the owner
 * says where its run is kept in the token, how its calls are retried, and what follows success and exhaustion.
 *
 * send -> calling -> answered -> succeeded | retry -> repeat -> calling … | exhausted. A blocked or an interrupted call rests and
 * is repeated without a retry spent.
 */
export interface CallOwner<Run extends Attempting = Attempting> extends CallNames<Run> {
  /** The call that it makes; undefined when it makes none any more, and then answers change nothing. */
  callOf(d: Draft, token: Token, run: Run): CallPlan | undefined;
  /** Whether 404 and 410 say that there was nothing to undo. */
  undoesUnknown(run: Run): boolean;
  /** The run of its next attempt, which this counts. */
  nextAttempt(d: Draft, run: Run, callId: number): Run;
  calling(token: Token, run: Run, callId: number): Stage;
  /** When such a failure is tried again, and what that costs; undefined when the attempts are used up. */
  nextTry(d: Draft, token: Token, run: Run, failure: AttemptFailure, retryAfterMillis?: number): NextTry | undefined;
  retry(d: Draft, token: Token, run: Run, failure: AttemptFailure, next: NextTry): void;
  succeeded(d: Draft, token: Token, run: Run, response: ResponseView): void;
  exhausted(d: Draft, token: Token, run: Run, failure: AttemptFailure, answer: FailedAnswer): void;
  /** Its call may not go out before `until`; `run` has the block, and the attempt is not counted. */
  block(d: Draft, token: Token, run: Run, until: number, event: BlockedEvent): void;
  /** Its worker stopped before the answer was recorded. */
  interrupted(d: Draft, token: Token, run: Run, failure: AttemptFailure): void;
}

/** When a call is made next, and what that costs. */
export interface NextTry extends RetryCounters {
  readonly until: number;
  /** Whether the try is the first one after the end of the execution. */
  readonly isAfterEnd?: true;
}

/** What was answered by a call that failed, or by its callback. */
export type FailedAnswer = Pick<StepOutput, 'response' | 'callback'>;

/** The event of a call that did not go out. */
export type BlockedEvent = Extract<Event, { type: 'blocked' }>;

/** Lets the call go with the checkpoint. The run has counted the attempt. */
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

/** Calls for the first time or again. A call that was blocked or interrupted (`isRedelivery`) is no retry. */
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

/** The call was answered: records the attempt, then lets the owner go on or fails. */
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
    recordAttempt(d, owner, token, settled, event, judged.response.status);
    owner.succeeded(d, token, settled, judged.response);
    return;
  }
  const { failure, response } = judged;
  recordAttempt(d, owner, token, settled, event, failure.statusCode, failure);
  failed(d, owner, token, settled, failure, response === undefined ? {} : { response }, event.retryAfterMillis);
}

/** An attempt failed: tries again, or gives up. */
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

/** The call did not go out: nothing is recorded, and no attempt, retry or wait is spent. */
export function blocked<Run extends Attempting>(
  d: Draft,
  owner: CallOwner<Run>,
  token: Token,
  run: Run,
  event: BlockedEvent,
): void {
  const { cause, detail, host } = event;
  const since = run.blocked?.since ?? d.now;
  const why = host === undefined ? { since, cause, detail } : { since, cause, detail, host };
  // A whole millisecond later than now: a token that is due at once would never rest.
  const until = Math.max(Math.ceil(event.until), d.now + 1);
  owner.block(d, token, { ...run, attempt: run.attempt - 1, blocked: why }, until, event);
}

/**
 * The worker that made the call stopped before it recorded the answer. The call is made again under the same key, and spends no
 * retry.
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

/** Records an attempt whose answer is not awaited any more; its outcome is unknown. The owner's token is left as it is. */
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

/** The run without what its last answer, or the lack of one, left behind. */
function settledOf<Run extends Attempting>(run: Run): Run {
  if (run.blocked === undefined && run.failure === undefined) return run;
  const { blocked: _blocked, failure: _failure, ...rest } = run;
  return rest as unknown as Run;
}

/** When the policy tries again after such a failure; undefined when it does not. */
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
  });
}
