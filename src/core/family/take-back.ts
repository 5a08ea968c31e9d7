import type { Draft } from '../draft.ts';
import type { ChildEndedEvent, Event } from '../event.ts';
import type { TakeBack } from './child-run.ts';
import type { Token, UndoRun, UndoTarget } from '../state.ts';
import { drainOf } from '../transition/failure.ts';
import { type Unwinding, settleUndo } from '../transition/unwind.ts';
import { tellCancel, workflowNode } from './ending.ts';

/** A token that takes a child back. */
interface Taking {
  readonly token: Token;
  readonly stage: Unwinding;
  readonly undo: UndoRun;
  readonly child: TakeBack;
}

/**
 * The compensation of a `workflow` visit: its child is taken back.
 *
 * asking --childRuns--> waiting --childEnded--> done | failed. The engine looks at the child (`takeBack`): if it runs, it is cancelled and
 * awaited; if it ended FAILED or CANCELLED, nothing is to be done. If it ended otherwise, that end is stored first (`after`), then the engine
 * is asked again and changes the child: it undoes a SUCCEEDED one, runs the compensations of a CORRUPTED one again, and compensates a
 * TERMINATED one from where it stood. So a process that dies in between repeats nothing, and only a later end of the child decides.
 *
 * A node with another compensation, whose child was not awaited, needs the end of the child alone: the rest follows from it.
 */
export function beginTakeBack(d: Draft, token: Token, stage: Unwinding, target: UndoTarget & { child: string }): void {
  const child: TakeBack = { id: target.child, part: 'asking' };
  const undo: UndoRun = { target, startedAt: d.now, attemptAt: d.now, attempt: 1, retries: 0, waits: 0, child };
  ask(d, token, stage, undo, child);
}

/** Whether the compensation of a visit begins with a look at its child. */
export function needsTakeBack(d: Draft, target: UndoTarget): target is UndoTarget & { child: string } {
  const node = d.node(target.nodeId);
  return node.kind === 'workflow' && target.child !== undefined && (node.compensation === 'undo' || !node.wait);
}

/** Asks again about children that are taken back, after a worker took the execution over. */
export function resumeTakeBacks(d: Draft): void {
  for (const { id, stage } of d.tokens) {
    const child = stage.kind === 'unwinding' ? stage.undo?.child : undefined;
    if (child?.part === 'asking') d.command({ type: 'takeBack', tokenId: id, childId: child.id });
  }
}

function ask(d: Draft, token: Token, stage: Unwinding, undo: UndoRun, child: TakeBack): void {
  const { callId: _callId, until: _until, ...rest } = stage;
  d.move(token, { ...rest, undo: { ...undo, child: { ...child, part: 'asking' } } });
  d.command({ type: 'takeBack', tokenId: token.id, childId: child.id });
}

function takingOf(d: Draft, childId: string): Taking | undefined {
  for (const token of d.tokens) {
    const { stage } = token;
    const undo = stage.kind === 'unwinding' ? stage.undo : undefined;
    if (stage.kind === 'unwinding' && undo?.child?.id === childId) return { token, stage, undo, child: undo.child };
  }
  return undefined;
}

/** The child is not over: its next end is awaited, and it is cancelled unless it compensates already. */
export function childRuns(
  d: Draft,
  { childId, isCancellable, after }: Omit<Extract<Event, { type: 'childRuns' }>, 'type'>,
): void {
  const taking = takingOf(d, childId);
  // Its end may have come between the question and this answer, and the engine was asked again.
  if (taking?.child.part !== 'asking' || taking.child.after !== after) return;
  const { token, stage, undo, child } = taking;
  if (drainOf(d, token) !== undefined) {
    d.remove(token);
    return;
  }
  d.move(token, { ...stage, undo: { ...undo, child: { ...child, part: 'waiting' } } });
  if (isCancellable) tellCancel(d, childId, `${undo.target.nodeId}:${String(undo.target.visit)}:back`);
}

/** Handles the end of a child that is taken back. Does nothing if it is not. */
export function takenBackEnd(d: Draft, event: ChildEndedEvent): void {
  const taking = takingOf(d, event.childId);
  if (taking === undefined) return;
  const { token, stage, undo, child } = taking;
  if (drainOf(d, token) !== undefined) {
    d.remove(token);
    return;
  }
  const { status, end } = event;
  const isOld = child.after !== undefined && end <= child.after;
  if (status === 'FAILED' || status === 'CANCELLED') {
    // What has no compensation in the child stands after it was taken back, so the visit stands, too.
    const note = `The execution ${child.id} is ${status}${event.standing ? ', and effects of it stand.' : '.'}`;
    if (!isOld) settleUndo(d, token, stage, undo, event.standing ? 'accepted' : 'done', { outcome: 'succeeded', note });
    return;
  }
  const { compensation } = workflowNode(d, undo.target.nodeId);
  if (compensation === 'none') {
    settleUndo(d, token, stage, undo, 'accepted', {
      outcome: 'succeeded',
      note: `The execution ${child.id} is ${status} and stays so.`,
    });
    return;
  }
  if (compensation !== 'undo') {
    const { child: _child, ...call } = undo;
    callNext(d, token, stage, call);
    return;
  }
  if (isOld) return;
  // A child that was CORRUPTED by the engine may have gone on and succeeded, so that it is to be undone after all.
  if (child.after === undefined || status === 'SUCCEEDED') {
    ask(d, token, stage, undo, { ...child, after: end });
    return;
  }
  const note = `The execution ${child.id} ended ${status}.${event.description === undefined ? '' : ` ${event.description}`}`;
  settleUndo(d, token, stage, undo, 'failed', { outcome: 'unknown', note });
}

/** Makes the call that compensates instead of the child. */
function callNext(d: Draft, token: Token, stage: Unwinding, undo: UndoRun): void {
  const { callId: _callId, ...rest } = stage;
  // The next turn sends it, as a call whose delay has passed.
  d.move(token, { ...rest, undo: { ...undo, attempt: 0 }, until: d.now });
}
