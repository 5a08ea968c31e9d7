/**
 * Calls that must not go out yet: a hold, an open circuit, no free place at the host.
 *
 * calling -> backoff with `blocked` -> calling. Nothing was sent, so that nothing is recorded and no attempt, retry or wait is
 * spent: the counter of attempts goes back to the calls that were made.
 */
import type { Draft } from '../draft.ts';
import type { Event } from '../event.ts';
import type { Blocked, HookRun, Stage, TaskRun, Token, UndoRun } from '../state.ts';
import { drainOf } from './failure.ts';
import { deliveredUntil } from './deliver.ts';
import { keepHookBack } from './finish.ts';
import { settleDropped } from './settle.ts';

type BlockedEvent = Extract<Event, { type: 'blocked' }>;
type Calling = Extract<Stage, { kind: 'calling' }>;
type Unwinding = Extract<Stage, { kind: 'unwinding' }>;

/** The call did not go out. Does nothing when it is not wanted any more. */
export function block(d: Draft, event: BlockedEvent): void {
  const token = d.tokens.find(({ stage }) => 'callId' in stage && stage.callId === event.callId);
  if (token === undefined) return;
  const { stage } = token;
  if (stage.kind === 'calling') blockTask(d, token, stage, event);
  else if (stage.kind === 'unwinding' && stage.undo !== undefined) blockUndo(d, token, stage, stage.undo, event);
  else if (stage.kind === 'hook') blockHook(d, token, stage.run, event);
}

function blockTask(d: Draft, token: Token, { task }: Calling, event: BlockedEvent): void {
  const waiting = d.move(token, {
    kind: 'backoff',
    since: d.now,
    until: untilOf(d, event),
    task: { ...notSent(task), attempt: task.attempt - 1, blocked: blockedBy(d, task, event) },
  });
  if (drainOf(d, token) === undefined) return;
  // Its scope fails: the call is not made any more.
  settleDropped(d, waiting);
  d.remove(waiting);
}

/** Before the first call has gone out, neither its rendering nor the effect whose key it would have sent is settled. */
function notSent(task: TaskRun): TaskRun {
  if (task.attempt > 1) return task;
  const { fingerprint: _fingerprint, key: _key, supersedes: _supersedes, ...rest } = task;
  return rest;
}

function blockUndo(d: Draft, token: Token, stage: Unwinding, undo: UndoRun, event: BlockedEvent): void {
  if (drainOf(d, token) !== undefined) {
    // A wider scope is failing: it compensates what is still pending, this one included.
    d.remove(token);
    return;
  }
  const { callId: _callId, ...rest } = stage;
  const blocked = blockedBy(d, undo, event);
  d.move(token, { ...rest, undo: { ...undo, attempt: undo.attempt - 1, blocked }, until: untilOf(d, event) });
}

/** A hold lets a hook wait as long as it stands; a host that fails only for the time that hooks have, before the end and after it. */
function blockHook(d: Draft, token: Token, run: HookRun, event: BlockedEvent): void {
  const until = untilOf(d, event);
  const waiting: HookRun = { ...run, attempt: run.attempt - 1, blocked: blockedBy(d, run, event) };
  const last =
    run.delivery === undefined
      ? run.startedAt + (run.heldMillis ?? 0) + d.env.limits.hookMaxMillis
      : deliveredUntil(run);
  // Its last try is at the end of its time, however much later the gate would have it look again.
  if (event.cause === 'hold') d.move(token, { kind: 'hook', run: waiting, until });
  else if (last > d.now) d.move(token, { kind: 'hook', run: waiting, until: Math.min(until, last) });
  else keepHookBack(d, token, waiting, `not called: ${event.detail}`, until);
}

function blockedBy(d: Draft, run: { readonly blocked?: Blocked }, { cause, detail, host }: BlockedEvent): Blocked {
  const blocked = { since: run.blocked?.since ?? d.now, cause, detail };
  return host === undefined ? blocked : { ...blocked, host };
}

/** A whole millisecond, and always later than now: a token that is due at once would never rest. */
function untilOf(d: Draft, { until }: BlockedEvent): number {
  return Math.max(Math.ceil(until), d.now + 1);
}

/** What is blocked is due now. */
export function tryBlocked(d: Draft): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if (isBlocked(stage)) d.move(token, { ...stage, until: d.now });
  }
}

/** Why a call waits here, or waited when it was tried last. */
export function blockedOf(stage: Stage): Blocked | undefined {
  if ('task' in stage) return stage.task.blocked;
  if (stage.kind === 'unwinding') return stage.undo?.blocked;
  return stage.kind === 'hook' ? stage.run.blocked : undefined;
}

/** Whether a blocked call waits here. */
export function isBlocked(stage: Stage): stage is Extract<Stage, { kind: 'backoff' | 'unwinding' | 'hook' }> {
  switch (stage.kind) {
    case 'backoff':
      return stage.task.blocked !== undefined;
    case 'unwinding':
      return stage.callId === undefined && stage.undo?.blocked !== undefined;
    case 'hook':
      return stage.callId === undefined && stage.run.blocked !== undefined;
    default:
      return false;
  }
}
