/**
 * The hook of an execution that is over, for every reader of a state. While the hook is still to be delivered, its token stays
 * in the state beside `end`, and gives the state a due time.
 */
import type { HookRun, Stage, State, Token } from './state.ts';

/** A token that delivers the hook of an execution that is over. */
export type DeliveryToken = Token & { readonly stage: Extract<Stage, { kind: 'hook' }> };

/** What tells whether a hook is still to be delivered. */
interface Ended {
  readonly end?: State['end'] | undefined;
  readonly tokens: readonly Token[];
}

/** The token that delivers the hook of an execution that is over; undefined where none is to be delivered any more. */
export function deliveryOf({ end, tokens }: Ended): DeliveryToken | undefined {
  return end === undefined ? undefined : tokens.find(isDelivery);
}

/** Whether the token delivers a hook after the end. A quarantined state keeps whatever tokens it had: they are none. */
function isDelivery(token: Token): token is DeliveryToken {
  return token.stage.kind === 'hook' && token.stage.run.delivery !== undefined;
}

/** Whether nothing is left to do: the execution is over, and no hook of its end is still to be delivered. */
export function isSettled(state: Ended): boolean {
  return state.end !== undefined && deliveryOf(state) === undefined;
}

/** What became of the hook of an execution's end. */
export interface HookStatus {
  readonly state: 'PENDING' | 'DELIVERED' | 'FAILED';
  readonly name: HookRun['hook'];
  /** Calls made, one under way included. */
  readonly attempts: number;
  /** When it is called again at the latest, in ms since 1970. Absent while it is called, and once it is not pending any more. */
  readonly nextAt?: number;
}

/** See {@link HookStatus}; undefined before the end, and where the end has no hook. */
export function hookStatus(state: State): HookStatus | undefined {
  const delivery = deliveryOf(state);
  if (delivery !== undefined) {
    const { run, callId, until } = delivery.stage;
    const isWaiting = callId === undefined && until !== undefined;
    return { state: 'PENDING', name: run.hook, attempts: run.attempt, ...(isWaiting ? { nextAt: until } : undefined) };
  }
  const { end, hook } = state;
  if (end === undefined || hook === undefined) return undefined;
  return { state: hook.isDelivered ? 'DELIVERED' : 'FAILED', name: hook.hook, attempts: hook.attempt };
}
