import { attemptingOf, blockedOf, isBlocked } from '../call/attempting.ts';
import { placesOf } from '../context/scope.ts';
import type { Plan, RetryPolicy } from '../plan.ts';
import type { State, Token } from '../state.ts';
import { type CurrentNode, currentNodeOf } from '../summary.ts';
import { blockedWait, type TimelineKind, type TimelineRow, type TimelineWait } from './timeline.ts';

/** Maximum number of rows that are not over in a timeline. */
const maxOpenRows = 256;

const kinds: Readonly<Record<CurrentNode['state'], TimelineKind>> = {
  SCHEDULED: 'wait',
  CALLING: 'attempt',
  BACKOFF: 'wait',
  BLOCKED: 'wait',
  WAITING_CALLBACK: 'wait',
  WAITING_CHILD: 'workflow',
  SLEEPING: 'sleep',
  JOINING: 'join',
  COMPENSATING: 'compensation',
  HOOK: 'hook',
};

/**
 * The rows of what an execution does or waits for now: one per token that is not about to go on. Their number is that of the next row of
 * the history, since theirs are not written yet.
 */
export function openRows(plan: Plan, state: State): readonly TimelineRow[] {
  if (state.end !== undefined || state.startAt !== undefined) return [];
  const rows: TimelineRow[] = [];
  for (const token of state.tokens) {
    if (rows.length === maxOpenRows) break;
    const at = currentNodeOf(plan, state, token);
    if (at.state === 'SCHEDULED' && at.child === undefined) continue;
    rows.push(openRow(plan, state, token, at));
  }
  return rows;
}

function openRow(plan: Plan, state: State, token: Token, at: CurrentNode): TimelineRow {
  const { stage } = token;
  const phase = phaseOf(token);
  const isInFlight = 'callId' in stage && stage.callId !== undefined;
  const wait = isInFlight ? undefined : waitOf(plan, token, at);
  const attempting = attemptingOf(stage);
  const item = placesOf(stage.kind === 'unwinding' ? (stage.undo?.target.scope ?? token.scope) : token.scope);
  return {
    seq: state.ord + 1,
    kind: wait === undefined ? (at.child === undefined ? kindOf(token, at) : 'workflow') : 'wait',
    nodeId: at.nodeId,
    visit: at.visit,
    ...(item === undefined ? undefined : { item }),
    round: state.round,
    ...(phase === undefined ? undefined : { phase }),
    ...(attempting === undefined ? undefined : { attempt: at.attempt }),
    from: isInFlight ? (attempting?.attemptAt ?? at.since) : waitBegin(token, at),
    ...(at.until === undefined ? undefined : { deadline: at.until }),
    ...(wait === undefined ? undefined : { wait }),
    ...(at.detail === undefined ? undefined : { note: at.detail }),
  };
}

function kindOf({ stage }: Token, { state }: CurrentNode): TimelineKind {
  return stage.kind === 'looping' ? 'forEach' : kinds[state];
}

function phaseOf({ stage }: Token): TimelineRow['phase'] {
  if ('task' in stage) return 'UP';
  if (stage.kind === 'unwinding' && stage.undo !== undefined) return 'DOWN';
  return stage.kind === 'hook' ? 'HOOK' : undefined;
}

/** Since when a token waits; compensations and hooks tell the begin of their latest attempt only. */
function waitBegin({ stage }: Token, at: CurrentNode): number {
  return isBlocked(stage) ? (blockedOf(stage)?.since ?? at.since) : at.since;
}

function waitOf(plan: Plan, token: Token, at: CurrentNode): TimelineWait | undefined {
  const { stage } = token;
  if (stage.kind === 'waiting') return { for: 'callback' };
  const blocked = isBlocked(stage) ? blockedOf(stage) : undefined;
  if (blocked !== undefined) return blockedWait(blocked);
  const attempting = attemptingOf(stage);
  if (attempting?.failure === undefined || at.until === undefined) return undefined;
  const { host } = attempting.failure;
  const policy = policyOf(plan, token);
  const left = policy === undefined ? undefined : Math.max(0, policy.maxAttempts - attempting.retries);
  return {
    for: 'backoff',
    ...(host === undefined ? undefined : { host }),
    ...(left === undefined ? undefined : { retriesLeft: left }),
  };
}

function policyOf(plan: Plan, { nodeId, stage }: Token): RetryPolicy | undefined {
  if (stage.kind === 'unwinding') return plan.compensationHandling;
  if (stage.kind === 'hook') return plan.failureHandling;
  const node = plan.nodes.get(nodeId);
  return node?.kind === 'task' ? node.retry : undefined;
}
