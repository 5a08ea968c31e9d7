import type { CallbackEvent, ChildEndedEvent, Event, ResolvedEvent } from './event.ts';
import { addressee } from './transition/callback.ts';
import { blockedOf, isBlocked } from './call/attempting.ts';
import { placesOf } from './context/scope.ts';
import { allSettleable } from './transition/resolve.ts';
import type { State, Token } from './state.ts';
import { awaitsCalls } from './summary.ts';
import { wakeable, type WakeRequest } from './transition/wakes.ts';

/** An event that can be stored in the inbox. */
export type AdmissibleEvent =
  CallbackEvent | ChildEndedEvent | Extract<Event, { type: 'cancelled' | 'terminated' | 'woken' }> | ResolvedEvent;

/** A callback that was accepted earlier; `nonce` identifies the token that it used. */
export interface SeenCallback {
  readonly nonce: string;
  readonly bodyHash: string;
  /** Whether `pendingWhen` held; a pending callback does not decide the operation. */
  readonly pending: boolean;
}

/** The result of {@link admit}. The caller appends the event to the inbox only if it is `accepted`. */
export type Admission =
  /** `woken`: the number of waits that a wake ends. */
  | { readonly kind: 'accepted'; readonly woken?: number }
  | { readonly kind: 'duplicate'; readonly pending: boolean }
  | { readonly kind: 'other_body' }
  | { readonly kind: 'earlier_operation' }
  | { readonly kind: 'not_waiting' }
  /** Too many pending callbacks; one that decides the operation is still accepted. */
  | { readonly kind: 'rate_limited' }
  | { readonly kind: 'conflict'; readonly message: string };

/** Maximum number of pending callbacks per operation, since each is stored permanently. */
export const maxPendingCallbacks = 1_000;

/**
 * Decides whether an external event still applies to the execution. Call this in the transaction that appends the event
 * to the inbox, so that the reply to the client agrees with what happens.
 *
 * `callback` is required for callbacks: the hash of the body's bytes, and the callbacks accepted earlier.
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
    case 'childEnded':
    case 'terminated':
      return state.end === undefined ? accepted : conflict(overText(state));
    case 'woken':
      return admitWake(state, event);
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
  if (addressee(state, event).kind !== 'none') {
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
  if (verdict.status === 'CANCELLED' && awaitsCalls(state)) return accepted;
  return conflict(
    verdict.status === 'SUCCEEDED'
      ? 'The execution has succeeded and only its hook is still to be called.'
      : 'The execution is compensating already.',
  );
}

function admitWake(state: State, request: WakeRequest): Admission {
  if (state.end !== undefined) return conflict(overText(state));
  const { tokens, heldBy } = wakeable(state, request);
  if (tokens.length > 0) return { kind: 'accepted', woken: tokens.length };
  if (heldBy !== undefined) {
    const hold = heldBy.holdId === undefined ? 'a hold' : `the hold ${heldBy.holdId}`;
    return conflict(`The call of ${heldBy.nodeId} waits for ${hold}, which a wake does not pass; lift it.`);
  }
  const at = request.nodeId === undefined ? 'in the execution' : `at the node ${request.nodeId}`;
  return conflict(`Nothing ${at} ${wakeWords(request)}${awaitedText(state)}.`);
}

/** Says what a wake would end. */
function wakeWords({ what = ['sleep'] }: WakeRequest): string {
  const words = { sleep: 'sleeps', retry: 'waits for its next attempt', blocked: 'is blocked' } as const;
  return [...new Set(what)].map((kind) => words[kind]).join(' or ');
}

/**
 * Describes what the execution waits for and how that wait ends, for the reply to a wake that does not apply. Empty if
 * the execution is running.
 */
function awaitedText(state: State): string {
  for (const { nodeId, stage } of state.tokens) {
    const node = stage.kind === 'unwinding' ? (stage.undo?.target.nodeId ?? nodeId) : nodeId;
    if (stage.kind === 'child') return `: ${node} waits for the execution ${stage.child.id}`;
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
  const found = allSettleable(state, event);
  if (found.length === 1) return accepted;
  if (found.length > 1) return conflict(severalText(event, found));
  const child = event.phase === 'UP' ? awaitedChild(state, event) : undefined;
  if (child !== undefined) {
    return conflict(
      `The node ${event.nodeId} waits for the execution ${child}, which decides it; act on that execution.`,
    );
  }
  return conflict(
    event.phase === 'UP'
      ? `The node ${event.nodeId} neither waits for a callback nor to be called.`
      : `No compensation of the node ${event.nodeId} waits to be settled.`,
  );
}

/** The child that a visit of a node waits for. */
function awaitedChild({ tokens }: State, { nodeId, visit }: ResolvedEvent): string | undefined {
  for (const token of tokens) {
    const { stage } = token;
    if (token.nodeId !== nodeId || stage.kind !== 'child') continue;
    if (visit === undefined || visit === stage.child.visit) return stage.child.id;
  }
  return undefined;
}

/**
 * Whether a worker can apply the event now. False for a callback that arrived before its node waits for it; such a
 * callback stays in the inbox.
 */
export function isReady(state: State, event: AdmissibleEvent): boolean {
  return event.type !== 'callback' || addressee(state, event).kind !== 'early';
}

/** Maximum number of visits that a conflict names. */
const maxNamedVisits = 20;

/** Says that several visits could be meant, and names them. */
function severalText({ nodeId }: ResolvedEvent, tokens: readonly Token[]): string {
  const named = tokens.slice(0, maxNamedVisits).map(({ stage, scope }) => {
    const visit = 'task' in stage ? stage.task.visit : stage.kind === 'unwinding' ? (stage.undo?.target.visit ?? 1) : 1;
    return `${String(visit)} (item ${(placesOf(scope) ?? []).join(', ')})`;
  });
  const more = tokens.length > maxNamedVisits ? ` and ${String(tokens.length - maxNamedVisits)} more` : '';
  return `Several visits of the node ${nodeId} wait: name one by visit or item. They are ${named.join(', ')}${more}.`;
}
