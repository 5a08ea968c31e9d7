import type { Draft } from '../draft.ts';
import type { ResolvedEvent } from '../event.ts';
import { isOfPlaces } from '../context/scope.ts';
import type { AttemptFailure, State, Token } from '../state.ts';
import { dropHook, interruptDelivery } from './ending/deliver.ts';
import { taskNode } from './settle.ts';
import { completeTask, failVisit } from './task.ts';
import { corruptedText } from './ending/end-text.ts';
import { settleUndo } from './unwind.ts';

/** What a resolve names. */
type Named = Pick<ResolvedEvent, 'nodeId' | 'visit' | 'item' | 'phase'>;

/** The token of a running execution that a resolve would settle; undefined if there is none, or more than one. */
function settleable(state: State, event: Named): Token | undefined {
  const [token, another] = allSettleable(state, event);
  return another === undefined ? token : undefined;
}

/** The tokens of a running execution that a resolve could mean: several where items of a loop wait at the same node. */
export function allSettleable(state: State, event: Named): readonly Token[] {
  return state.tokens.filter(({ nodeId, stage, scope }) => {
    if (event.phase === 'UP') {
      if (nodeId !== event.nodeId || (stage.kind !== 'waiting' && stage.kind !== 'backoff')) return false;
      return isNamed(event, stage.task.visit, scope);
    }
    if (stage.kind !== 'unwinding' || stage.undo === undefined || stage.callId !== undefined) return false;
    const { target } = stage.undo;
    return target.nodeId === event.nodeId && isNamed(event, target.visit, target.scope);
  });
}

function isNamed({ visit, item }: Named, own: number, scope: string): boolean {
  return (visit === undefined || visit === own) && isOfPlaces(scope, item);
}

/**
 * Applies the manual settlement of a visit or compensation by an operator. Does nothing if nothing matches it any more.
 */
export function resolve(d: Draft, event: ResolvedEvent): void {
  if (d.state.end !== undefined) {
    resolveCorrupted(d, event);
    return;
  }
  d.state.tokens = d.tokens;
  const token = settleable(d.state, event);
  if (token === undefined) return;
  const { stage } = token;
  if (stage.kind === 'unwinding' && stage.undo !== undefined) {
    const { undo } = stage;
    record(d, event, undo.target.visit, token.scope, undo.target.round);
    settleUndo(d, token, stage, undo, event.outcome === 'succeeded' ? 'resolved' : 'accepted', {
      outcome: event.outcome === 'succeeded' ? 'succeeded' : 'rejected',
      note: `Settled by an operator: ${event.reason}`,
    });
    return;
  }
  if (stage.kind !== 'waiting' && stage.kind !== 'backoff') return;
  const { task } = stage;
  record(d, event, task.visit, token.scope);
  const { unknown: _unknown, ...settled } = task;
  const body = event.body ?? null;
  const answer = task.accepted === true ? { callback: { body } } : { response: { status: 200, headers: {}, body } };
  if (event.outcome === 'succeeded') {
    completeTask(d, token, settled, answer);
    return;
  }
  const async = taskNode(d, token).mode === 'async';
  const failure: AttemptFailure = {
    outcome: 'rejected',
    reason: async && stage.kind === 'waiting' ? 'callback_failure' : (task.failure?.reason ?? 'fail_node'),
    description: `Settled as failed by an operator: ${event.reason}`,
    logged: 'Settled as failed by an operator.',
  };
  // Without a body there is no response, which a failed node need not have.
  failVisit(d, token, settled, failure, event.body === undefined ? undefined : answer);
}

/** Settles a failed compensation of a CORRUPTED execution. */
function resolveCorrupted(d: Draft, event: ResolvedEvent): void {
  const { target } = event;
  const { end, verdict } = d.state;
  if (end?.status !== 'CORRUPTED' || end.reason !== 'compensation' || target === undefined || verdict === undefined)
    return;
  record(d, event, target.visit, target.scope, target.round);
  d.mark({ kind: 'set', ord: target.ord, undo: event.outcome === 'succeeded' ? 'resolved' : 'accepted' });
  d.state.troubles = Math.max(0, d.state.troubles - 1);
  const named = d.state.failedCompensations?.filter(
    ({ nodeId, visit }) => nodeId !== target.nodeId || visit !== target.visit,
  );
  if (named === undefined || named.length === 0) delete d.state.failedCompensations;
  else d.state.failedCompensations = named;
  // Once the last one is settled, the execution ends as it would have without the failed compensations.
  if (d.state.troubles > 0) {
    d.state.end = { ...end, description: corruptedText(d.state, verdict) };
    interruptDelivery(d, 'Its answer was not heard, since a compensation was settled meanwhile.');
    return;
  }
  dropHook(d, 'Not delivered any more, since the last compensation was settled and the execution ends anew.');
  delete d.state.end;
}

function record(d: Draft, event: ResolvedEvent, visit: number, scope: string, round: number = d.state.round): void {
  d.step({
    nodeId: event.nodeId,
    index: d.plan.nodes.get(event.nodeId)?.index ?? -1,
    phase: 'RESOLVE',
    visit,
    round,
    attempt: 1,
    outcome: event.outcome === 'succeeded' ? 'succeeded' : 'rejected',
    startedAt: d.now,
    attemptAt: d.now,
    scope,
    final: false,
    note: event.reason,
  });
}
