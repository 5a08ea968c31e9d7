/**
 * Unwinding: compensations, one at a time, until nothing is left to undo.
 *
 * unwinding (no target) --findUndo--> calling -> done | backoff -> calling | failed, and again; with nothing found, the
 * goal. A compensation that cannot be completed does not stop the others; it makes the end CORRUPTED.
 */
import { judge } from '../call/classify.ts';
import type { Answered, Draft } from '../draft.ts';
import type { StepRow, UndoState } from '../history.ts';
import type { CallPlan } from '../plan.ts';
import { nextRetry } from '../call/retry.ts';
import {
  type AttemptFailure,
  maxNamedTroubles,
  type Stage,
  type Token,
  type UndoRun,
  type UndoTarget,
} from '../state.ts';
import { idempotencyKey } from '../call/keys.ts';
import { drainOf } from './failure.ts';
import { endBranch, goTo } from './route.ts';

/** A token that compensates. */
export type Unwinding = Extract<Stage, { kind: 'unwinding' }>;

/** The step rows named what to compensate next, or that nothing is left. */
export function foundUndo(d: Draft, tokenId: number, target: UndoTarget | undefined): void {
  const token = d.token(tokenId);
  if (token?.stage.kind !== 'unwinding' || token.stage.undo !== undefined) return;
  const { stage } = token;
  if (target === undefined) {
    reachGoal(d, token, stage);
    return;
  }
  if (!d.env.advance) return;
  const undo: UndoRun = { target, startedAt: d.now, attemptAt: d.now, attempt: 1, retries: 0, waits: 0 };
  sendUndo(d, token, stage, undo);
}

/** The wait before a compensation's retry, or of its blocked call, is over. */
export function repeatUndo(d: Draft, token: Token, stage: Unwinding, undo: UndoRun): void {
  const { failure: _failure, ...rest } = undo;
  if (undo.blocked === undefined) d.signal({ kind: 'retried', nodeId: undo.target.nodeId, phase: 'DOWN' });
  sendUndo(d, token, stage, { ...rest, attempt: undo.attempt + 1, attemptAt: d.now });
}

function sendUndo(d: Draft, token: Token, stage: Unwinding, undo: UndoRun): void {
  const { until: _until, ...rest } = stage;
  const callId = d.newCallId();
  d.move(token, { ...rest, undo, callId });
  const { attempt, target } = undo;
  const { nodeId, visit } = target;
  d.send({ type: 'call', callId, tokenId: token.id, phase: 'DOWN', nodeId, visit, attempt }, token);
}

/** A compensation's call was answered. */
export function answerUndo(d: Draft, token: Token, stage: Unwinding, run: UndoRun, event: Answered): void {
  const { blocked: _blocked, ...undo } = run;
  const call = compensationOf(d, undo.target);
  const judged = judge(call, event, undo.target.outcome === 'unknown');
  recordUndoAttempt(
    d,
    undo,
    event,
    judged.ok ? judged.response.status : judged.failure.statusCode,
    judged.ok ? undefined : judged.failure,
  );
  if (judged.ok) {
    settleUndo(d, token, stage, undo, 'done', {
      outcome: 'succeeded',
      statusCode: judged.response.status,
      output: { downBody: judged.response.body },
    });
    return;
  }
  const { failure } = judged;
  const retry = nextRetry(d.plan.compensationHandling, undo, failure, {
    direction: 'compensation',
    random: () => d.env.random(),
    maxRetryAfterMillis: d.env.limits.maxRetryAfterMillis,
    ...(event.retryAfterMillis === undefined ? undefined : { retryAfterMillis: event.retryAfterMillis }),
  });
  d.signal({
    kind: 'attempt',
    nodeId: undo.target.nodeId,
    phase: 'DOWN',
    outcome: failure.outcome,
    reason: failure.reason,
    description: failure.logged ?? failure.description,
    willRetry: retry !== undefined,
  });
  if (drainOf(d, token) !== undefined) {
    // A wider scope is failing: it compensates what is still pending, this one included.
    d.remove(token);
    return;
  }
  if (retry !== undefined) {
    const { callId: _callId, ...rest } = stage;
    d.move(token, {
      ...rest,
      undo: { ...undo, failure, retries: retry.retries, waits: retry.waits },
      until: d.now + retry.delayMillis,
    });
    return;
  }
  const row = {
    outcome: failure.outcome,
    note: failure.description,
    ...(failure.statusCode === undefined ? undefined : { statusCode: failure.statusCode }),
  };
  settleUndo(d, token, stage, undo, 'failed', row, failure.host);
}

/** Settles the running compensation: appends its DOWN row, marks the visit's row, goes on to the next. `host`: that of the call that failed. */
export function settleUndo(
  d: Draft,
  token: Token,
  stage: Unwinding,
  undo: UndoRun,
  state: UndoState,
  row: Pick<StepRow, 'outcome'> & Partial<Pick<StepRow, 'statusCode' | 'output' | 'note' | 'phase'>>,
  host?: string,
): void {
  const { target } = undo;
  d.step({
    phase: 'DOWN',
    ...row,
    nodeId: target.nodeId,
    index: d.node(target.nodeId).index,
    visit: target.visit,
    round: target.round,
    // One that was settled by hand while its first call was blocked.
    attempt: Math.max(1, undo.attempt),
    startedAt: undo.startedAt,
    attemptAt: undo.attemptAt,
    scope: target.scope,
    final: false,
  });
  d.undo.push({ kind: 'set', ord: target.ord, undo: state });
  const trouble = state === 'failed' ? 1 : 0;
  if (trouble > 0) nameTrouble(d, target, host);
  d.state.troubles += trouble;
  if (drainOf(d, token) !== undefined) {
    d.remove(token);
    return;
  }
  const { undo: _undo, callId: _callId, until: _until, ...rest } = stage;
  d.move(token, { ...rest, troubles: stage.troubles + trouble });
}

/** Names a compensation that could not be completed, as far as there is room for it. */
function nameTrouble(d: Draft, { nodeId, visit }: UndoTarget, host: string | undefined): void {
  const named = d.state.failedCompensations ?? [];
  if (named.length >= maxNamedTroubles) return;
  d.state.failedCompensations = [...named, { nodeId, visit, ...(host === undefined ? undefined : { host }) }];
}

function reachGoal(d: Draft, token: Token, stage: Unwinding): void {
  switch (stage.goal.kind) {
    case 'end':
      d.remove(token);
      return;
    case 'branch':
      endBranch(d, token, stage.troubles > 0 ? 'CORRUPTED' : 'FAILED');
      return;
    case 'route':
      goTo(d, token, stage.goal.target);
  }
}

/** The compensation of a visit's node. Rows with `undo` are written only for nodes that have one. */
function compensationOf(d: Draft, target: UndoTarget): CallPlan {
  const node = d.node(target.nodeId);
  if (node.kind !== 'task' || node.compensation === undefined) {
    throw new Error(`Node ${JSON.stringify(target.nodeId)} has no compensation.`);
  }
  return node.compensation;
}

/** Appends the row of one attempt of a compensation. */
export function recordUndoAttempt(
  d: Draft,
  undo: UndoRun,
  event: Pick<Answered, 'callId' | 'exchange'>,
  statusCode: number | undefined,
  failure: AttemptFailure | undefined,
): void {
  const { target } = undo;
  d.call({
    callId: event.callId,
    nodeId: target.nodeId,
    index: d.node(target.nodeId).index,
    phase: 'DOWN',
    visit: target.visit,
    round: target.round,
    attempt: undo.attempt,
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { error: failure.description }),
    startedAt: undo.startedAt,
    attemptAt: undo.attemptAt,
    idempotencyKey: idempotencyKey(d.header.id, target.round, target.nodeId, target.visit, 'DOWN'),
    ...(event.exchange === undefined ? undefined : { exchange: event.exchange }),
  });
}
