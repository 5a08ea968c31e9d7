import { isSettled } from './delivery.ts';
import { Draft } from './draft.ts';
import type { Env, Run, Transition } from './run.ts';
import type { Event } from './event.ts';
import type { Mutable } from './value/mutable.ts';
import type { State, TaskRun } from './state.ts';
import { advance } from './transition/advance.ts';
import { applyCallback } from './transition/callback.ts';
import { cancel, quarantine, retry, terminate, wake } from './transition/control.ts';
import { redeliver } from './transition/ending/deliver.ts';
import { answer, block, resume, tryBlocked } from './transition/owner.ts';
import { resolve } from './transition/resolve.ts';
import { passTime, startRound } from './transition/timer.ts';
import { undo } from './transition/ending/undo.ts';
import { awaitedEnd, childFound, childRefused, childStarted } from './family/child.ts';
import { foundUndo } from './family/found-undo.ts';
import { noteParent, renew, takeBack } from './family/member.ts';
import { childRuns, takenBackEnd } from './family/take-back.ts';

/**
 * The core of the engine: a total, pure function from a run and an event to the next state and everything to write and
 * to do.
 *
 * An event that does not fit the state never throws; it changes nothing, but its inbox row is still consumed. `apply`
 * does throw on a state that no sequence of events can produce; the engine treats that as a bug of its own.
 */
export function apply(run: Run, event: Event, env: Env): Transition {
  const d = new Draft(run, env);
  if ('inboxId' in event && event.inboxId !== undefined && event.type !== 'callback') d.consume(event.inboxId);
  if (d.state.end === undefined || survivesEnd(event) || (!isSettled(d.state) && delivers(event))) {
    if (isAsked(event)) d.state.changes = (d.state.changes ?? 0) + 1;
    dispatch(d, event);
    // The tokens of a quarantined execution must not change.
    if (event.type !== 'quarantined' && event.type !== 'prepared') advance(d);
  }
  return d.done();
}

/** Events that apply to an execution that is over. */
function survivesEnd(event: Event): boolean {
  const lasting = ['retried', 'undone', 'resolved', 'redelivered', 'callback', 'renewed', 'takenBack'];
  return lasting.includes(event.type);
}

/** Events that apply to an execution that is over while its hook is being delivered, or its children are told. */
function delivers(event: Event): boolean {
  return ['resumed', 'timer', 'answered', 'blocked', 'quarantined', 'childrenTold'].includes(event.type);
}

/** Whether an operator requested the event; each such event has an entry in the audit log. */
function isAsked(event: Event): boolean {
  switch (event.type) {
    case 'cancelled':
      return event.parentId === undefined;
    case 'terminated':
    case 'woken':
    case 'resolved':
    case 'retried':
    case 'undone':
    case 'redelivered':
      return true;
    default:
      return false;
  }
}

function dispatch(d: Draft, event: Event): void {
  switch (event.type) {
    case 'started':
      if (d.state.startAt === undefined) startRound(d);
      else passTime(d);
      return;
    case 'resumed':
      resume(d);
      return;
    case 'continued':
      return;
    case 'timer':
      if (event.tryBlocked === true) tryBlocked(d);
      passTime(d);
      return;
    case 'prepared':
      d.tokens = [...prepared(d.state, event).tokens];
      return;
    case 'answered':
      answer(d, event);
      return;
    case 'blocked':
      block(d, event);
      return;
    case 'undoFound':
      foundUndo(d, event.tokenId, event.target);
      return;
    case 'callback':
      applyCallback(d, event);
      return;
    case 'cancelled':
      if (event.parentId !== undefined && d.state.verdict === undefined)
        noteParent(d, `Cancelled by the execution ${event.parentId}.`);
      cancel(d, event.reason);
      return;
    case 'terminated':
      terminate(d);
      return;
    case 'woken':
      wake(d, event);
      return;
    case 'resolved':
      resolve(d, event);
      return;
    case 'retried':
      retry(d, event.force);
      return;
    case 'undone':
      undo(d, event.reason, event.from ?? 'SUCCEEDED');
      return;
    case 'redelivered':
      redeliver(d, event.force);
      return;
    case 'childStarted':
      childStarted(d, event);
      return;
    case 'childFound':
      childFound(d, event);
      return;
    case 'childRefused':
      childRefused(d, event);
      return;
    case 'childRuns':
      childRuns(d, event);
      return;
    case 'childEnded':
      if (!awaitedEnd(d, event)) takenBackEnd(d, event);
      return;
    case 'childrenTold':
      delete d.state.tellsChildren;
      return;
    case 'renewed':
      renew(d, event.parentId);
      return;
    case 'takenBack':
      takeBack(d, event.parentId);
      return;
    case 'quarantined':
      quarantine(d, event.description);
  }
}

/**
 * Applies a `prepared` event to a state alone, with the same result as `apply`. This cheaper form exists because the
 * event occurs with every mutating call. Returns the same state if the event does not fit.
 */
export function prepared(state: State, event: Extract<Event, { type: 'prepared' }>): State {
  const at = state.tokens.findIndex(({ stage }) => stage.kind === 'calling' && stage.callId === event.callId);
  const token = state.tokens[at];
  if (state.end !== undefined || token?.stage.kind !== 'calling') return state;
  const { fingerprint, reused } = event;
  const task: Mutable<TaskRun> = { ...token.stage.task };
  if (fingerprint !== undefined) task.fingerprint = fingerprint;
  if (reused !== undefined) {
    task.key = reused.key;
    task.supersedes = reused.ord;
    task.begunAt = reused.begunAt;
  }
  return { ...state, tokens: state.tokens.with(at, { ...token, stage: { ...token.stage, task } }) };
}

export type { CoreLimits, Env, Run, Signal, Transition } from './run.ts';
