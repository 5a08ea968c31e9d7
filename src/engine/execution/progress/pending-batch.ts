import type { Signal, Transition } from '../../../core/apply.ts';
import type { Told } from '../../../core/run.ts';
import { isSettled } from '../../../core/delivery.ts';
import { canPark, dueAt, openDeadline } from '../../../core/due.ts';
import type { Command } from '../../../core/event.ts';
import type { CallRow, StepRow, UndoMark } from '../../../core/history.ts';
import type { State } from '../../../core/state.ts';
import { summarize } from '../../../core/summary.ts';
import type { Mutable } from '../../../core/value/mutable.ts';
import type { Checkpoint, Tell } from '../../../ports/store.ts';

const none: readonly never[] = [];

/**
 * The result of the transitions since the last durable state, which becomes one checkpoint. A batch is not reused.
 */
export class PendingBatch {
  commands: readonly Command[] = none;
  steps: readonly StepRow[] = none;
  calls: readonly CallRow[] = none;
  undo: readonly UndoMark[] = none;
  consumed: readonly string[] = none;
  tells: readonly Told[] = none;
  signals: readonly Signal[] = none;
  /** Whether there is anything to write: a row, a used event, or a moved token. */
  dirty = false;
  /** Whether the batch contains more than the record of a former owner's calls, which resets the poison count. */
  progress = false;
  /** The poison count to set if there is no progress; undefined leaves the count unchanged. */
  claims: number | undefined;

  /** Adds a transition from the state `before`. */
  add(transition: Transition, before: State): void {
    this.commands = joined(this.commands, transition.commands);
    this.steps = joined(this.steps, transition.steps);
    this.calls = joined(this.calls, transition.calls);
    this.undo = joined(this.undo, transition.undo);
    this.consumed = joined(this.consumed, transition.consumed);
    this.tells = joined(this.tells, transition.tells);
    this.signals = joined(this.signals, transition.signals);
    const written =
      transition.steps.length > 0 ||
      transition.calls.length > 0 ||
      transition.undo.length > 0 ||
      transition.consumed.length > 0 ||
      transition.tells.length > 0;
    if (written || hasMoved(before, transition.state)) this.dirty = true;
  }

  /**
   * The checkpoint from `durable` to `state`. It compares the inbox if an unseen event could contradict it, and sets the
   * due time if the execution parks. `tells` are the rows of the batch's events for other executions.
   */
  checkpoint(
    at: Required<Pick<Checkpoint, 'id' | 'claim' | 'seq' | 'inboxSeq'>>,
    durable: State,
    state: State,
    tells: readonly Tell[] = none,
  ): Checkpoint {
    const { steps, calls, undo, consumed, progress, claims } = this;
    const { id, claim, seq, inboxSeq } = at;
    const isOver = isSettled(state);
    const parks = canPark(state);
    const checkpoint: Mutable<Checkpoint> = {
      id,
      claim,
      seq,
      state,
      summary: summarize(state),
      progress: progress || isOver || parks,
      steps,
      calls,
      undo,
      consumed,
    };
    if (state.end !== undefined || parks || takesTurn(durable, state)) checkpoint.inboxSeq = inboxSeq;
    if (tells.length > 0) checkpoint.tells = tells;
    if (state.tellsChildren !== undefined && durable.end === undefined) {
      checkpoint.terminatesChildren = state.tellsChildren;
    }
    if (claims !== undefined) checkpoint.claims = claims;
    const parkUntil = parks ? dueAt(state) : null;
    if (isOver) checkpoint.dueAt = null;
    else if (parkUntil !== null) checkpoint.dueAt = parkUntil;
    return checkpoint;
  }
}

/** Both lists; copied only where neither is empty, which is rare. */
function joined<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  if (first.length === 0) return second;
  return second.length === 0 ? first : [...first, ...second];
}

/** Whether the states differ in more than the time. Transitions keep the identity of tokens that they do not change. */
function hasMoved(before: State, after: State): boolean {
  if (
    before.verdict !== after.verdict ||
    before.end !== after.end ||
    before.startAt !== after.startAt ||
    before.tellsChildren !== after.tellsChildren ||
    before.calls !== after.calls ||
    before.cancelReason !== after.cancelReason ||
    before.tokens.length !== after.tokens.length
  ) {
    return true;
  }
  return after.tokens.some((token, i) => token !== before.tokens[i]);
}

/**
 * Whether an unseen event could contradict a checkpoint from `before` to `after`: the execution fails, begins to
 * compensate, or ends a wait that a callback or an operator may have decided.
 */
function takesTurn(before: State, after: State): boolean {
  if (after.verdict !== before.verdict && after.verdict !== undefined) return true;
  const stillWaits = (id: number, kind: string): boolean =>
    after.tokens.some(({ id: other, stage }) => other === id && stage.kind === kind && timerOf(stage) !== undefined);
  if (before.tokens.some(({ id, stage }) => timerOf(stage) !== undefined && !stillWaits(id, stage.kind))) return true;
  return after.tokens.some(
    ({ id, stage }) =>
      (stage.kind === 'draining' || stage.kind === 'unwinding') &&
      !before.tokens.some((old) => old.id === id && old.stage.kind === stage.kind),
  );
}

/** Whether a token is `ready`, or a timer is due at `now`, so that the execution can advance. */
export function isRunnable(state: State, now: number): boolean {
  if ((nextTimer(state) ?? Infinity) <= now) return true;
  return state.startAt === undefined && state.tokens.some(({ stage }) => stage.kind === 'ready');
}

/**
 * The next instant at which a timer changes the state, also while calls are in flight; undefined if no timer runs.
 */
export function nextTimer(state: State): number | undefined {
  if (isSettled(state)) return undefined;
  let next = state.startAt ?? Infinity;
  const deadline = openDeadline(state);
  if (deadline !== undefined) next = Math.min(next, deadline);
  for (const { stage } of state.tokens) next = Math.min(next, timerOf(stage) ?? Infinity);
  return next === Infinity ? undefined : next;
}

function timerOf(stage: State['tokens'][number]['stage']): number | undefined {
  if (!('until' in stage)) return undefined;
  return 'callId' in stage && stage.callId !== undefined ? undefined : stage.until;
}
