/**
 * When a worker must look at an execution again, and whether it can be left alone until then. Both follow from its tokens.
 */
import { deliveryOf, isSettled } from './delivery.ts';
import { isWithin } from './context/scope.ts';
import { isCalling } from './call/attempting.ts';
import type { State, Token } from './state.ts';

/**
 * The earliest instant (ms since 1970) at which a worker must look; `state.now` when something can move now; null once the
 * execution is over and the hook of its end is delivered or given up.
 */
export function dueAt(state: State): number | null {
  if (state.end !== undefined) {
    const delivery = deliveryOf(state);
    return delivery === undefined ? null : tokenDue(delivery, state.now);
  }
  if (state.startAt !== undefined) return state.startAt;
  let due = openDeadline(state) ?? Number.MAX_SAFE_INTEGER;
  for (const token of state.tokens) due = Math.min(due, tokenDue(token, state.now));
  return state.tokens.length === 0 ? state.now : due;
}

/**
 * When the round's time is up, as long as that means something: it fails an execution that is going on, and ends the calls
 * that one which has failed or was cancelled still awaits. Compensations are not bounded by it.
 */
export function openDeadline(state: State): number | undefined {
  const isOpen = state.verdict === undefined || state.tokens.some(({ stage }) => stage.kind === 'calling');
  return isOpen ? state.deadline : undefined;
}

function tokenDue(token: Token, now: number): number {
  const { stage } = token;
  switch (stage.kind) {
    case 'ready':
    case 'calling':
      return now;
    case 'backoff':
    case 'waiting':
    case 'sleeping':
      return stage.until;
    case 'unwinding':
    case 'hook':
      return stage.callId === undefined && stage.until !== undefined ? stage.until : now;
    case 'forked':
      // Its join is due, once the outputs are at hand that it needs.
      return Object.values(stage.branches).some(({ status }) => status === 'RUNNING') ? Number.MAX_SAFE_INTEGER : now;
    case 'draining':
      return Number.MAX_SAFE_INTEGER;
  }
}

/** Ids of the calls that the state marks as gone out and not answered. */
export function inFlight(state: State): readonly number[] {
  if (isSettled(state)) return [];
  return state.tokens.flatMap(({ stage }) => ('callId' in stage && stage.callId !== undefined ? [stage.callId] : []));
}

/** Whether the state marks this call as gone out and not answered. */
export function isInFlight(state: State, callId: number): boolean {
  return !isSettled(state) && state.tokens.some(({ stage }) => 'callId' in stage && stage.callId === callId);
}

/** Whether a call in flight is only awaited, since its scope fails: one that has not left yet need not leave. */
export function isDrained(state: State, callId: number): boolean {
  // It takes another token for that; most executions have one.
  if (state.tokens.length < 2) return false;
  const token = state.tokens.find(({ stage }) => 'callId' in stage && stage.callId === callId);
  return (
    token !== undefined &&
    state.tokens.some(({ stage, scope }) => stage.kind === 'draining' && isWithin(token.scope, scope))
  );
}

/** Whether only a timer in the future or an event from outside can move it. */
export function canPark(state: State): boolean {
  if (isSettled(state)) return true;
  if (state.tokens.some(isCalling)) return false;
  const due = dueAt(state);
  return due !== null && due > state.now;
}
