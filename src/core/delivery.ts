import type { HookRun, Stage, State, Token } from './state.ts';

/** A token that delivers the hook of an execution that is over. */
export type DeliveryToken = Token & { readonly stage: Extract<Stage, { kind: 'hook' }> };

/** The part of a state that shows whether a hook is still to be delivered. */
interface Ended {
  readonly end?: State['end'] | undefined;
  readonly tokens: readonly Token[];
  readonly tellsChildren?: State['tellsChildren'] | undefined;
}

/**
 * The token that delivers the hook of an execution that is over; undefined if no delivery is pending. Until the
 * delivery ends, the token stays in the state next to `end` and gives the state a due time.
 */
export function deliveryOf({ end, tokens }: Ended): DeliveryToken | undefined {
  return end === undefined ? undefined : tokens.find(isDelivery);
}

/** Whether the token delivers a hook after the end. The tokens that a quarantined state keeps do not. */
function isDelivery(token: Token): token is DeliveryToken {
  return token.stage.kind === 'hook' && token.stage.run.delivery !== undefined;
}

/** Whether the execution is over, no delivery of its hook is pending, and all children are told of a terminate. */
export function isSettled(state: Ended): boolean {
  return state.end !== undefined && deliveryOf(state) === undefined && state.tellsChildren === undefined;
}

/** The status of the hook of the end of an execution. */
export interface HookStatus {
  readonly state: 'PENDING' | 'DELIVERED' | 'FAILED';
  readonly name: HookRun['hook'];
  /** Number of calls made, including one in progress. */
  readonly attempts: number;
  /**
   * The latest time of the next call, in ms since 1970. Absent while a call is in progress, and once nothing is
   * pending.
   */
  readonly nextAt?: number;
}

/** Derives the {@link HookStatus} of a state; undefined before the end, and if the end has no hook. */
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
