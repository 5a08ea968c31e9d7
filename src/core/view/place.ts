import { attemptingOf, blockedOf, isBlocked } from '../call/attempting.ts';
import type { Plan } from '../plan.ts';
import type { AttemptFailure, BlockCause, State, Token } from '../state.ts';
import { type CurrentNode, currentNodeOf } from '../summary.ts';
import { stateOf } from '../waits.ts';

/** Where an execution stands, in the words of its most urgent token. */
export interface Place extends CurrentNode {
  /** `host:port` of the call that is blocked there or failed there last; absent if none is known. */
  readonly host?: string;
  /** Why the call is blocked. */
  readonly cause?: BlockCause;
  /** The hold that blocks it. */
  readonly holdId?: string;
  /** The failure of the latest attempt there. */
  readonly failure?: AttemptFailure;
  /** The retries that its call has used of its policy. */
  readonly retries?: number;
  /** Whether the host asked to wait. */
  readonly isRetryAfter?: true;
  /** Whether calls in flight are awaited before anything is compensated. */
  readonly isDraining?: true;
}

/** The states of places, the most urgent first. */
export const placeStates: readonly CurrentNode['state'][] = [
  'BLOCKED',
  'BACKOFF',
  'COMPENSATING',
  'HOOK',
  'CALLING',
  'WAITING_CALLBACK',
  'WAITING_CHILD',
  'JOINING',
  'SLEEPING',
  'SCHEDULED',
];

/**
 * The place of an execution that has not ended: that of the most urgent token by {@link placeStates}; of equals the one that has stood
 * there longest. Undefined once the execution is over. Without a plan, a split is named instead of its join.
 */
export function urgentPlace(state: State, plan?: Pick<Plan, 'nodes'>): Place | undefined {
  if (state.end !== undefined) return undefined;
  let rank = placeStates.length;
  let found: { readonly token: Token; readonly at: CurrentNode } | undefined;
  for (const token of state.tokens) {
    const own = placeStates.indexOf(stateAt(token));
    if (own > rank) continue;
    const at = currentNodeOf(plan, state, token);
    if (own < rank || found === undefined || at.since < found.at.since) found = { token, at };
    rank = own;
  }
  return found && { ...found.at, ...whyAt(found.token) };
}

/** Whether the place is named in terms of the plan. */
export function needsPlan(state: State): boolean {
  return state.tokens.some(({ stage }) => stage.kind === 'forked');
}

function stateAt({ stage }: Token): CurrentNode['state'] {
  if (isBlocked(stage)) return 'BLOCKED';
  return stage.kind === 'forked' || stage.kind === 'looping' ? 'JOINING' : stateOf(stage);
}

function whyAt({ stage }: Token): Partial<Place> {
  if (stage.kind === 'draining') return { isDraining: true };
  // A task that waits for its callback was accepted; what failed before does not matter any more.
  if (stage.kind === 'waiting') return {};
  const attempting = attemptingOf(stage);
  const blocked = isBlocked(stage) ? blockedOf(stage) : undefined;
  const failure = attempting?.failure;
  const host = blocked === undefined ? failure?.host : blocked.host;
  return {
    ...(host === undefined ? undefined : { host }),
    ...(blocked === undefined ? undefined : { cause: blocked.cause }),
    ...(blocked?.holdId === undefined ? undefined : { holdId: blocked.holdId }),
    ...(failure === undefined ? undefined : { failure }),
    ...(attempting === undefined ? undefined : { retries: attempting.retries }),
    ...(isAskedToWait(stage) ? { isRetryAfter: true } : undefined),
  };
}

/** Whether the latest answer had a Retry-After: only with these statuses does one count. */
function isAskedToWait(stage: Token['stage']): boolean {
  if (stage.kind !== 'backoff' || stage.task.waits === 0) return false;
  const status = stage.task.failure?.statusCode;
  return status === 429 || status === 503;
}
