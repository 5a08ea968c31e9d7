import type { Draft } from '../draft.ts';
import { deliveryOf } from '../delivery.ts';
import { wakeNode } from '../node/kinds.ts';
import { dropHook, settleHook } from './ending/deliver.ts';
import { placesText } from './ending/end-text.ts';
import { settleTerminated, terminateChildren } from '../family/child.ts';
import type { Parenting } from '../family/ending.ts';
import { failExecution } from './failure.ts';
import { endAs } from './ending/finish.ts';
import { abandonCalls, abandonOtherCalls } from './owner.ts';
import type { Attempting, Stage, State } from '../state.ts';
import { wakeable, type WakeRequest } from './wakes.ts';
import { settleDropped } from './settle.ts';
import { startRound } from './timer.ts';

/**
 * Cancels the execution: starts no new calls and compensates the completed ones. Does nothing once the verdict is
 * decided.
 */
export function cancel(d: Draft, reason: string | undefined): void {
  if (d.state.verdict !== undefined) return;
  if (reason !== undefined) d.state.cancelReason = reason;
  delete d.state.startAt;
  const description = reason === undefined ? 'Cancelled.' : `Cancelled: ${reason}`;
  failExecution(d, { status: 'CANCELLED', reason: 'cancelled', description }, undefined, 'Cancelled.');
}

/** Terminates the execution: ends it immediately; its effects are recorded but not compensated. */
export function terminate(d: Draft): void {
  settleAll(d, 'Given up, since the execution was terminated.');
  endAs(d, 'TERMINATED', 'terminated', 'Terminated as it stood; nothing was compensated.');
  terminateChildren(d);
}

/** Gives up all tokens as they stand, and records what is known of their effects; `text` says why. */
export function settleAll(d: Draft, text: string): void {
  abandonCalls(d, text);
  abandonOtherCalls(d, text);
  for (const token of d.tokens) {
    if (token.stage.kind === 'child') settleTerminated(d, token as Parenting);
    else settleDropped(d, token);
    // The compensation was attempted and not completed, so it is unknown whether the effect remains.
    if (token.stage.kind === 'unwinding' && token.stage.undo !== undefined) {
      d.mark({ kind: 'set', ord: token.stage.undo.target.ord, undo: 'failed' });
    }
  }
  d.tokens = [];
}

/**
 * Ends waits: starts an execution before its `startAt`, wakes sleeping tokens, makes the next attempt of a call due, and has blocked calls
 * ask again, one of which probes an open circuit.
 */
export function wake(d: Draft, request: WakeRequest): void {
  const { tokens } = wakeable({ ...d.state, tokens: d.tokens }, request);
  if (d.state.startAt !== undefined) {
    if (tokens.length > 0) startRound(d);
    return;
  }
  for (const token of tokens) {
    const { stage } = token;
    if (stage.kind === 'sleeping') wakeNode(d, token, 'Woken early.');
    else d.move(token, asked(stage, d.now));
  }
}

/** The stage of a call that is made again now. */
function asked(stage: Stage, now: number): Stage {
  switch (stage.kind) {
    case 'backoff':
      return { ...stage, until: now, task: probing(stage.task) };
    case 'unwinding':
      return stage.undo === undefined ? stage : { ...stage, until: now, undo: probing(stage.undo) };
    case 'hook':
      return { ...stage, until: now, run: probing(stage.run) };
    default:
      return stage;
  }
}

function probing<Run extends Attempting>(run: Run): Run {
  return run.blocked === undefined ? run : { ...run, blocked: { ...run.blocked, probe: true } };
}

const retriedText = 'Not delivered any more, since the execution was retried.';

/** Retries an execution that is over; see `isRetryable`. Does nothing if it is not retryable. */
export function retry(d: Draft, force: boolean): void {
  const { end } = d.state;
  if (end === undefined) return;
  switch (end.status) {
    case 'SUCCEEDED':
      return;
    case 'TERMINATED':
      // Children that are still to be told to end would otherwise be those of the next round.
      if (force && d.state.tellsChildren === undefined) newRound(d);
      return;
    case 'FAILED':
    case 'CANCELLED':
      dropHook(d, retriedText);
      newRound(d);
      return;
    case 'CORRUPTED':
      dropHook(d, retriedText);
      delete d.state.end;
      // The engine failed: the tokens are unchanged since the last checkpoint.
      if (end.reason === 'engine') return;
      d.mark({ kind: 'reopen', round: d.state.round });
      d.state.troubles = 0;
      delete d.state.failedCompensations;
      d.tokens = [];
      d.put({
        id: d.newTokenId(),
        scope: '',
        nodeId: d.state.verdict?.nodeId ?? d.plan.entry,
        stage: { kind: 'unwinding', since: d.now, goal: { kind: 'end', reopened: true }, troubles: 0 },
      });
  }
}

/** Begins the next round of an execution that is over. */
export function newRound(d: Draft): void {
  const { state } = d;
  delete state.end;
  delete state.verdict;
  delete state.deadline;
  delete state.startAt;
  delete state.result;
  delete state.completed;
  delete state.cancelReason;
  state.round++;
  state.visits = {};
  state.totalVisits = 0;
  delete state.itemVisits;
  delete state.childVisits;
  state.troubles = 0;
  delete state.failedCompensations;
  delete state.undoBegun;
  state.hookVisits = {};
  d.outputs = d.outputs.cleared();
  d.tokens = [];
  d.put({ id: d.newTokenId(), scope: '', nodeId: d.plan.entry, stage: { kind: 'ready' } });
  startRound(d);
}

/**
 * Parks an execution on which the engine failed too often, for an operator; its tokens stay as they are. If the
 * execution is already over, only the delivery of its hook, or what its children are told, is given up.
 */
export function quarantine(d: Draft, description: string): void {
  if (d.state.tellsChildren !== undefined) {
    delete d.state.tellsChildren;
    return;
  }
  const token = deliveryOf({ end: d.state.end, tokens: d.tokens });
  if (token === undefined) {
    endAs(d, 'CORRUPTED', 'engine', `${description}${placesText(d.tokens)}`);
    return;
  }
  const { run } = token.stage;
  d.state.hookWarning = `${run.hook} failed: ${description}`;
  d.remove(token);
  settleHook(d, run, false);
}

/**
 * Like {@link quarantine}, on the state alone, for an execution whose other data must not be parsed, read or rendered.
 * `now` is in milliseconds since 1970; `isChild`: another execution started it.
 */
export function quarantined(state: State, now: number, description: string, isChild = false): State {
  const at = Math.max(now, state.now);
  const ends = isChild ? { ends: (state.ends ?? 0) + 1 } : undefined;
  if (state.tellsChildren !== undefined) {
    const { tellsChildren: _told, ...over } = state;
    return { ...over, now: at };
  }
  const delivery = deliveryOf(state);
  if (delivery === undefined) {
    const said = `${description}${placesText(state.tokens)}`;
    return { ...state, now: at, ...ends, end: { status: 'CORRUPTED', reason: 'engine', description: said, at } };
  }
  const { hook, visit, startedAt, attemptAt, attempt } = delivery.stage.run;
  return {
    ...state,
    now: at,
    tokens: [],
    hook: { hook, visit, startedAt, attemptAt, attempt, isDelivered: false },
    hookWarning: `${hook} failed: ${description}`,
  };
}
