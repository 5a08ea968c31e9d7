import { deliveryOf, isSettled } from './delivery.ts';
import { isWithin } from './context/scope.ts';
import { callerOf, isCalling } from './call/attempting.ts';
import type { Loop, State, Token } from './state.ts';

/**
 * When a worker must look at the execution again, in ms since 1970: `state.now` if something can move now, null once
 * the execution is over, the delivery of its hook has ended, and its children know of a terminate.
 */
export function dueAt(state: State): number | null {
  if (state.end !== undefined) {
    if (state.tellsChildren !== undefined) return state.now;
    const delivery = deliveryOf(state);
    return delivery === undefined ? null : tokenDue(delivery, state.now);
  }
  if (state.startAt !== undefined) return state.startAt;
  let due = openDeadline(state) ?? Number.MAX_SAFE_INTEGER;
  for (const token of state.tokens) due = Math.min(due, tokenDue(token, state.now));
  return state.tokens.length === 0 ? state.now : due;
}

/**
 * The deadline of the round while it has an effect: it fails a running execution, and ends the calls that a failing or
 * cancelled execution still waits for. It does not limit compensations.
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
    case 'child':
      if (stage.part === 'starting') return now;
      return stage.until ?? Number.MAX_SAFE_INTEGER;
    case 'unwinding':
      if (stage.undo?.child !== undefined && stage.until === undefined) {
        return stage.undo.child.part === 'asking' ? now : Number.MAX_SAFE_INTEGER;
      }
      return stage.callId === undefined && stage.until !== undefined ? stage.until : now;
    case 'hook':
      return stage.callId === undefined && stage.until !== undefined ? stage.until : now;
    case 'forked':
      // Its join is due once the outputs that it needs are loaded.
      return Object.values(stage.branches).some(({ status }) => status === 'RUNNING') ? Number.MAX_SAFE_INTEGER : now;
    case 'looping':
      // Items that may begin, and the end of the loop, are due once the rows that they need are loaded.
      return stage.loop.ended === stage.loop.count || canBegin(stage.loop) ? now : Number.MAX_SAFE_INTEGER;
    case 'draining':
      return Number.MAX_SAFE_INTEGER;
  }
}

/** Whether another item of a loop may begin. */
export function canBegin({ running, max, next, count }: Loop): boolean {
  return next < count && running.length < max;
}

/** Ids of the calls that were sent and not answered, according to the state. */
export function inFlight(state: State): readonly number[] {
  if (isSettled(state)) return [];
  return state.tokens.flatMap(({ stage }) => ('callId' in stage && stage.callId !== undefined ? [stage.callId] : []));
}

/** Whether this call was sent and not answered, according to the state. */
export function isInFlight(state: State, callId: number): boolean {
  return !isSettled(state) && callerOf(state.tokens, callId) !== undefined;
}

/**
 * Whether a call in flight belongs to a failing scope, which only waits for its answer. Such a call need not be sent if
 * it has not left yet.
 */
export function isDrained(state: State, callId: number): boolean {
  // A draining token is always a second token; most executions have one token.
  if (state.tokens.length < 2) return false;
  const token = callerOf(state.tokens, callId);
  return (
    token !== undefined &&
    state.tokens.some(({ stage, scope }) => stage.kind === 'draining' && isWithin(token.scope, scope))
  );
}

/** Whether only a future timer or an external event can move the execution. */
export function canPark(state: State): boolean {
  if (isSettled(state)) return true;
  if (state.tokens.some(isCalling)) return false;
  const due = dueAt(state);
  return due !== null && due > state.now;
}
