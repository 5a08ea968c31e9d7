import type { Draft } from '../draft.ts';
import type { StepRow, UndoState } from '../history.ts';
import type { CallPlan } from '../plan.ts';
import { maxBegunUndos, maxNamedTroubles, type Stage, type Token, type UndoRun, type UndoTarget } from '../state.ts';
import { compensationCall } from '../call/compensation-call.ts';
import { idempotencyKey } from '../call/keys.ts';
import { type CallOwner, retryBy } from './attempt.ts';
import { parentScope } from '../context/scope.ts';
import { drainOf } from './failure.ts';
import { endItem } from './loop.ts';
import { endBranch, goTo } from './route.ts';

/** A token that compensates. */
export type Unwinding = Extract<Stage, { kind: 'unwinding' }>;

/**
 * A compensation as an owner of calls. Compensations of a token run one at a time, until none is left.
 *
 * unwinding (no target) --findUndo--> calling -> done | resting -> calling | failed, and again; if nothing is found,
 * the goal. A compensation that cannot be completed does not stop the others; the execution then ends CORRUPTED.
 */
export const compensations: CallOwner<UndoRun> = {
  phase: 'DOWN',
  nodeIdOf: (_token, { target }) => target.nodeId,
  visitOf: ({ target }) => target.visit,
  roundOf: (_d, { target }) => target.round,
  keyOf: (d, _token, { target }) => idempotencyKey(d.header.id, target.round, target.nodeId, target.visit, 'DOWN'),
  callOf: (d, _token, { target }) => compensationOf(d, target),
  undoesUnknown: ({ target }) => target.outcome === 'unknown',

  nextAttempt(d, { failure: _failure, ...undo }) {
    return { ...undo, attempt: undo.attempt + 1, attemptAt: d.now };
  },

  calling(token, undo, callId) {
    const { until: _until, ...stage } = unwindingOf(token);
    return { ...stage, undo, callId };
  },

  nextTry(d, _token, undo, failure, retryAfterMillis) {
    return retryBy(d, d.plan.compensationHandling, undo, failure, 'compensation', retryAfterMillis);
  },

  retry(d, token, undo, failure, { retries, waits, until }) {
    rest(d, token, { ...undo, failure, retries, waits }, until);
  },

  succeeded(d, token, undo, response) {
    const row = { outcome: 'succeeded', statusCode: response.status, output: { downBody: response.body } } as const;
    settleUndo(d, token, unwindingOf(token), undo, 'done', row);
  },

  exhausted(d, token, undo, failure) {
    if (isDropped(d, token)) return;
    const row = {
      outcome: failure.outcome,
      note: failure.description,
      ...(failure.statusCode === undefined ? undefined : { statusCode: failure.statusCode }),
    };
    settleUndo(d, token, unwindingOf(token), undo, 'failed', row, failure.host);
  },

  block: rest,

  interrupted(d, token, undo) {
    rest(d, token, undo, d.now);
  },
};

function unwindingOf({ stage }: Token): Unwinding {
  if (stage.kind !== 'unwinding') throw new Error(`A token that is ${stage.kind} compensates nothing.`);
  return stage;
}

/** Waits until the compensation is due again. */
function rest(d: Draft, token: Token, undo: UndoRun, until: number): void {
  if (isDropped(d, token)) return;
  const { callId: _callId, ...stage } = unwindingOf(token);
  d.move(token, { ...stage, undo, until });
}

/**
 * Removes the token if an enclosing scope is failing, which will compensate everything still pending, this visit
 * included.
 */
function isDropped(d: Draft, token: Token): boolean {
  if (drainOf(d, token) === undefined) return false;
  d.remove(token);
  return true;
}

/** Notes when a compensation that reads `now` was begun for the first time. */
export function noteBegin(d: Draft, target: UndoTarget): void {
  if (compensationOf(d, target).request.body?.template.usesOccasion !== true) return;
  const begun = d.state.undoBegun ?? {};
  if (Object.hasOwn(begun, target.ord) || Object.keys(begun).length >= maxBegunUndos) return;
  d.state.undoBegun = { ...begun, [target.ord]: d.now };
}

/** Forgets when a compensation was begun, since it is not called again. */
function forgetBegin(d: Draft, { ord }: UndoTarget): void {
  const { undoBegun } = d.state;
  if (undoBegun === undefined || !Object.hasOwn(undoBegun, ord)) return;
  const { [String(ord)]: _over, ...others } = undoBegun;
  if (Object.keys(others).length === 0) delete d.state.undoBegun;
  else d.state.undoBegun = others;
}

/**
 * Settles the running compensation: appends its DOWN row, marks the row of the visit, and continues with the next one.
 * `host` is the host of the failed call.
 */
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
    // At least 1, also if it was settled by hand while its first call was blocked.
    attempt: Math.max(1, undo.attempt),
    startedAt: undo.startedAt,
    attemptAt: undo.attemptAt,
    scope: target.scope,
    final: false,
  });
  d.mark({ kind: 'set', ord: target.ord, undo: state });
  const trouble = state === 'failed' ? 1 : 0;
  if (trouble > 0) nameTrouble(d, target, row.statusCode, host);
  else forgetBegin(d, target);
  d.state.troubles += trouble;
  if (drainOf(d, token) !== undefined) {
    d.remove(token);
    return;
  }
  const { undo: _undo, callId: _callId, until: _until, ...rest } = stage;
  d.move(token, { ...rest, troubles: stage.troubles + trouble });
}

/** Adds a failed compensation to those that the state names, up to a limit. */
function nameTrouble(
  d: Draft,
  { nodeId, visit, outcome }: UndoTarget,
  statusCode: number | undefined,
  host: string | undefined,
): void {
  const named = d.state.failedCompensations ?? [];
  if (named.length >= maxNamedTroubles) return;
  d.state.failedCompensations = [
    ...named,
    {
      nodeId,
      visit,
      outcome,
      ...(statusCode === undefined ? undefined : { statusCode }),
      ...(host === undefined ? undefined : { host }),
    },
  ];
}

/** Does what an unwinding token is for, once no compensation is left. */
export function reachGoal(d: Draft, token: Token, stage: Unwinding): void {
  switch (stage.goal.kind) {
    case 'end':
      if (stage.goal.thenPending === true) d.move(token, { ...stage, goal: { kind: 'end' } });
      else d.remove(token);
      return;
    case 'branch':
      endBranch(d, token, endOf(stage.troubles, stage.goal.isLate), stage.goal.failure);
      return;
    case 'item':
      endItem(d, token, { status: stage.troubles > 0 ? 'CORRUPTED' : 'FAILED', failure: stage.goal.failure });
      return;
    case 'loop': {
      const { nodeId, target } = stage.goal;
      goTo(d, d.put({ ...token, scope: parentScope(token.scope), nodeId, stage: { kind: 'ready' } }), target);
      return;
    }
    case 'route':
      goTo(d, token, stage.goal.target);
  }
}

/** How a branch ends once it is undone. */
function endOf(troubles: number, isLate: boolean | undefined): 'CORRUPTED' | 'CANCELLED' | 'FAILED' {
  if (troubles > 0) return 'CORRUPTED';
  return isLate === true ? 'CANCELLED' : 'FAILED';
}

/**
 * The compensation call of a node. Throws if it has none; rows with `undo` are written only for nodes that have one.
 */
function compensationOf(d: Draft, target: UndoTarget): CallPlan {
  const call = compensationCall(d.node(target.nodeId));
  if (call === undefined) throw new Error(`Node ${JSON.stringify(target.nodeId)} has no compensation.`);
  return call;
}
