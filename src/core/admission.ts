import type { CallbackEvent, Event, ResolvedEvent } from './event.ts';
import { addressee } from './transition/callback.ts';
import { blockedOf, isBlocked } from './call/attempting.ts';
import { settleable } from './transition/resolve.ts';
import type { State } from './state.ts';

/** An event that can wait in the inbox. */
export type AdmissibleEvent =
  CallbackEvent | Extract<Event, { type: 'cancelled' | 'terminated' | 'woken' }> | ResolvedEvent;

/** A callback accepted before under the same token. */
export interface SeenCallback {
  readonly nonce: string;
  readonly bodyHash: string;
  /** Judged pending: it does not bind the token. */
  readonly pending: boolean;
}

/** The answer. `accepted` means: append it. */
export type Admission =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'duplicate'; readonly pending: boolean }
  | { readonly kind: 'other_body' }
  | { readonly kind: 'earlier_operation' }
  | { readonly kind: 'not_waiting' }
  /** Too many callbacks judged pending; one that decides is still taken. */
  | { readonly kind: 'rate_limited' }
  | { readonly kind: 'conflict'; readonly message: string };

/** Callbacks judged pending that one operation takes: each is kept for good. */
export const maxPendingCallbacks = 1_000;

/**
 * Whether an event from outside still applies. Asked in the transaction that would append it to the inbox, so that what
 * is answered and what happens agree.
 *
 * `callback` is required for callbacks: the hash of the body's bytes and what came before.
 */
export function admit(
  state: State,
  event: AdmissibleEvent,
  callback?: { readonly bodyHash: string; readonly seen: readonly SeenCallback[] },
): Admission {
  switch (event.type) {
    case 'callback':
      return admitCallback(state, event, callback?.bodyHash ?? '', callback?.seen ?? []);
    case 'cancelled':
      return admitCancel(state);
    case 'terminated':
      return state.end === undefined ? accepted : conflict(overText(state));
    case 'woken':
      return admitWake(state);
    case 'resolved':
      return admitResolve(state, event);
  }
}

const accepted: Admission = { kind: 'accepted' };

function conflict(message: string): Admission {
  return { kind: 'conflict', message };
}

function overText(state: State): string {
  return `The execution is over: ${state.end?.status ?? ''}.`;
}

function admitCallback(state: State, event: CallbackEvent, bodyHash: string, seen: readonly SeenCallback[]): Admission {
  const same = seen.filter((other) => other.nonce === event.nonce);
  const binding = same.find((other) => !other.pending);
  if (binding !== undefined) {
    return binding.bodyHash === bodyHash ? { kind: 'duplicate', pending: false } : { kind: 'other_body' };
  }
  if (addressee(state, event).kind !== 'nobody') {
    if (!event.pending) return accepted;
    if (same.some((other) => other.bodyHash === bodyHash)) return { kind: 'duplicate', pending: true };
    return same.length < maxPendingCallbacks ? accepted : { kind: 'rate_limited' };
  }
  return isEarlierOperation(state, event) ? { kind: 'earlier_operation' } : { kind: 'not_waiting' };
}

function isEarlierOperation(state: State, event: CallbackEvent): boolean {
  if (state.end !== undefined || state.round !== event.round) return false;
  return state.tokens.some(
    ({ nodeId, stage }) =>
      nodeId === event.nodeId &&
      'task' in stage &&
      stage.task.visit === event.visit &&
      stage.task.operation > event.operation,
  );
}

function admitCancel(state: State): Admission {
  if (state.end !== undefined) return conflict(overText(state));
  const { verdict } = state;
  if (verdict === undefined) return accepted;
  const draining = state.tokens.some(({ stage }) => stage.kind === 'draining');
  if (verdict.status === 'CANCELLED' && draining) return accepted;
  return conflict(
    verdict.status === 'SUCCEEDED'
      ? 'The execution has succeeded and only its hook is still to be called.'
      : 'The execution is compensating already.',
  );
}

function admitWake(state: State): Admission {
  if (state.end !== undefined) return conflict(overText(state));
  const asleep = state.startAt !== undefined || state.tokens.some(({ stage }) => stage.kind === 'sleeping');
  return asleep ? accepted : conflict(`Nothing in the execution sleeps${awaitedText(state)}.`);
}

/** What an execution waits for that a wake does not end, and what does, as text for the caller. Empty where it just runs. */
function awaitedText(state: State): string {
  for (const { nodeId, stage } of state.tokens) {
    const node = stage.kind === 'unwinding' ? (stage.undo?.target.nodeId ?? nodeId) : nodeId;
    if (stage.kind === 'waiting') return `: ${node} waits for its callback, in whose place it can be resolved`;
    if (isBlocked(stage)) {
      return `: the call of ${node} is blocked (${blockedOf(stage)?.detail ?? ''}) and goes out as soon as that is over`;
    }
    if ('until' in stage && stage.until !== undefined) return `: ${node} waits for its next attempt`;
  }
  return '';
}

function admitResolve(state: State, event: ResolvedEvent): Admission {
  if (state.end !== undefined) return conflict(overText(state));
  if (settleable(state, event) !== undefined) return accepted;
  return conflict(
    event.phase === 'UP'
      ? `The node ${event.nodeId} neither waits for a callback nor to be called.`
      : `No compensation of the node ${event.nodeId} waits to be settled.`,
  );
}

/** Whether a worker can apply the event now; false: a callback that came before its node has parked, to be kept. */
export function isReady(state: State, event: AdmissibleEvent): boolean {
  return event.type !== 'callback' || addressee(state, event).kind !== 'early';
}
