import { placesOf } from './context/scope.ts';
import type { Mutable } from './value/mutable.ts';
import type { Blocked, BranchEnd, ExecutionStatus, FailureReason, State, Token } from './state.ts';
import { canBegin } from './due.ts';
import type { Plan } from './plan.ts';

/** The status that clients see. */
function statusOf(state: State): ExecutionStatus {
  if (state.end !== undefined) return state.end.status;
  if (state.startAt !== undefined) return 'SLEEPING';
  const { verdict } = state;
  if (verdict !== undefined) {
    if (verdict.status === 'FAILED') return 'COMPENSATING';
    // A cancel is pending until the calls in flight are answered. An execution with the verdict SUCCEEDED compensates
    // if the failed compensations of a branch are retried.
    const compensates = state.tokens.some(({ stage }) => stage.kind === 'unwinding');
    const draining = awaitsCalls(state);
    return compensates || (verdict.status === 'CANCELLED' && !draining) ? 'COMPENSATING' : 'IN_PROGRESS';
  }
  let waiting = false;
  for (const { stage } of state.tokens) {
    if (stage.kind === 'waiting' || isAwaited(stage)) waiting = true;
    else if (stage.kind !== 'sleeping' && stage.kind !== 'forked' && !isResting(stage)) return 'IN_PROGRESS';
  }
  return waiting ? 'WAITING_CALLBACK' : 'SLEEPING';
}

/** Whether a loop waits for its items. */
function isResting(stage: Token['stage']): boolean {
  return stage.kind === 'looping' && stage.loop.ended < stage.loop.count && !canBegin(stage.loop);
}

/** Whether a draining scope waits for answers of calls, not for the ends of children alone. */
export function awaitsCalls({ tokens }: Pick<State, 'tokens'>): boolean {
  if (!tokens.some(({ stage }) => stage.kind === 'draining')) return false;
  return !tokens.some(({ stage }) => isAwaited(stage)) || tokens.some(({ stage }) => isInFlight(stage));
}

/** Whether the end of a child is awaited. */
function isAwaited(stage: Token['stage']): boolean {
  return stage.kind === 'child' && stage.part !== 'starting';
}

function isInFlight(stage: Token['stage']): boolean {
  return stage.kind === 'calling' || (stage.kind === 'child' && stage.part === 'starting');
}

/** Columns of an execution for lists and metrics. */
export interface Summary {
  readonly status: ExecutionStatus;
  readonly round: number;
  /** When the round began. */
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly completedAt?: number;
  readonly failureDescription?: string;
  readonly reason?: FailureReason;
  readonly failedNodeId?: string;
  readonly callbackWarning?: string;
  /** Ids of the keys that signed tokens still valid for callbacks; absent if there are none. */
  readonly callbackKeys?: readonly string[];
  /** Whether effects may remain: terminal, but not SUCCEEDED. The store refines this from the step rows. */
  readonly maybeStanding: boolean;
}

/** Derives the summary of a state. */
export function summarize(state: State): Summary {
  const { end, verdict } = state;
  const failed = verdict !== undefined && verdict.status !== 'SUCCEEDED' ? verdict : undefined;
  const description = end?.description ?? failed?.description;
  const reason = end === undefined ? failed?.reason : end.reason;
  const callbackKeys = callbackKeysOf(state);
  const summary: Mutable<Summary> = {
    status: statusOf(state),
    round: state.round,
    startedAt: state.startedAt,
    updatedAt: state.now,
    maybeStanding: end !== undefined && end.status !== 'SUCCEEDED',
  };
  if (end !== undefined) summary.completedAt = end.at ?? state.now;
  if (description !== undefined) summary.failureDescription = description;
  if (reason !== undefined) summary.reason = reason;
  if (failed?.nodeId !== undefined) summary.failedNodeId = failed.nodeId;
  if (state.hookWarning !== undefined) summary.callbackWarning = state.hookWarning;
  if (callbackKeys !== undefined) summary.callbackKeys = callbackKeys;
  return summary;
}

/** Sorted key ids of valid callback tokens: of nodes that wait, and of accepted operations that are being repeated. */
function callbackKeysOf({ tokens }: State): readonly string[] | undefined {
  let keys: Set<string> | undefined;
  for (const { stage } of tokens) {
    if ('task' in stage && stage.task.accepted === true && stage.task.keyId !== undefined) {
      (keys ??= new Set<string>()).add(stage.task.keyId);
    }
  }
  return keys && [...keys].sort();
}

/** One current position of an execution and why it waits there. Instants are ms since 1970. */
export interface CurrentNode {
  readonly nodeId: string;
  readonly visit: number;
  readonly state:
    | 'SCHEDULED'
    | 'CALLING'
    | 'BACKOFF'
    | 'BLOCKED'
    | 'WAITING_CALLBACK'
    | 'WAITING_CHILD'
    | 'SLEEPING'
    | 'JOINING'
    | 'COMPENSATING'
    | 'HOOK';
  readonly attempt: number;
  readonly since: number;
  readonly until?: number;
  readonly detail?: string;
  /** The places of the items of loops that it belongs to, outermost first; absent outside of all loops. */
  readonly item?: readonly number[];
  /** Id of the execution that is awaited. */
  readonly child?: string;
}

/** The current positions of an execution; empty once it is over. */
export function currentNodes(plan: Plan, state: State): readonly CurrentNode[] {
  if (state.end !== undefined) return [];
  return state.tokens.map((token) => currentNodeOf(plan, state, token));
}

/** The position of one token. Without a plan, a split is named instead of its join. */
export function currentNodeOf(plan: Pick<Plan, 'nodes'> | undefined, state: State, token: Token): CurrentNode {
  const node = currentNode(plan, state, token);
  const item = itemOf(token);
  return item === undefined ? node : { ...node, item };
}

/** The places of the items that a token, or what it compensates, belongs to. */
function itemOf({ scope, stage }: Token): readonly number[] | undefined {
  return placesOf(stage.kind === 'unwinding' ? (stage.undo?.target.scope ?? scope) : scope);
}

function currentNode(plan: Pick<Plan, 'nodes'> | undefined, state: State, token: Token): CurrentNode {
  const { nodeId, stage } = token;
  switch (stage.kind) {
    case 'ready': {
      const visits = Object.hasOwn(state.visits, nodeId) ? (state.visits[nodeId] ?? 0) : 0;
      const visit = stage.choosing?.visit ?? visits + 1;
      const at = { nodeId, visit, state: 'SCHEDULED', attempt: 1, since: state.now } as const;
      if (state.startAt === undefined) return at;
      return { ...at, since: state.startedAt, until: state.startAt, detail: 'Waits for its start time.' };
    }
    case 'calling':
      return {
        nodeId,
        visit: stage.task.visit,
        state: 'CALLING',
        attempt: stage.task.attempt,
        since: stage.task.attemptAt,
      };
    case 'backoff': {
      const { blocked } = stage.task;
      if (blocked !== undefined) return blockedNode(nodeId, stage.task, blocked, stage.until);
      const detail = stage.task.failure?.description;
      return {
        nodeId,
        visit: stage.task.visit,
        state: 'BACKOFF',
        attempt: stage.task.attempt,
        since: stage.since,
        until: stage.until,
        ...(detail === undefined ? undefined : { detail }),
      };
    }
    case 'waiting':
      return {
        nodeId,
        visit: stage.task.visit,
        state: 'WAITING_CALLBACK',
        attempt: stage.task.attempt,
        since: stage.since,
        until: stage.until,
      };
    case 'child': {
      const { part, since, until, child } = stage;
      const at = { nodeId, visit: child.visit, attempt: 1, since, child: child.id } as const;
      if (part === 'starting') return { ...at, state: 'SCHEDULED' };
      const detail = part === 'ending' ? { detail: 'It was told to end.' } : undefined;
      return { ...at, state: 'WAITING_CHILD', ...detail, ...(until === undefined ? undefined : { until }) };
    }
    case 'sleeping':
      return { nodeId, visit: stage.visit, state: 'SLEEPING', attempt: 1, since: stage.since, until: stage.until };
    case 'forked': {
      const open = Object.entries(stage.branches).filter(([, end]) => end.status === 'RUNNING');
      return {
        nodeId: plan?.nodes.get(nodeId)?.join ?? nodeId,
        visit: stage.visit,
        state: 'JOINING',
        attempt: 1,
        since: stage.since,
        detail: waitText(
          plan,
          nodeId,
          stage.branches,
          open.map(([entry]) => entry),
        ),
      };
    }
    case 'looping':
      return {
        nodeId,
        visit: stage.loop.visit,
        state: 'JOINING',
        attempt: 1,
        since: stage.since,
        detail: `${String(stage.loop.ended)} of ${String(stage.loop.count)}`,
      };
    case 'draining':
      return {
        nodeId,
        visit: Object.hasOwn(state.visits, nodeId) ? (state.visits[nodeId] ?? 1) : 1,
        state: 'COMPENSATING',
        attempt: 1,
        since: stage.since,
        detail: 'Waits for calls in flight to be answered before it compensates.',
      };
    case 'unwinding': {
      const { undo } = stage;
      if (undo?.blocked !== undefined && stage.callId === undefined) {
        const { nodeId: of, visit } = undo.target;
        return blockedNode(of, { visit, attempt: undo.attempt }, undo.blocked, stage.until);
      }
      const detail = undo?.child === undefined ? undo?.failure?.description : 'Takes the execution back.';
      return {
        ...(undo?.child === undefined ? undefined : { child: undo.child.id }),
        nodeId: undo?.target.nodeId ?? nodeId,
        visit: undo?.target.visit ?? 1,
        state: 'COMPENSATING',
        attempt: undo?.attempt ?? 1,
        since: undo?.attemptAt ?? stage.since,
        ...(stage.until === undefined ? undefined : { until: stage.until }),
        ...(detail === undefined ? undefined : { detail }),
      };
    }
    case 'hook': {
      const { blocked } = stage.run;
      if (blocked !== undefined && stage.callId === undefined)
        return blockedNode(nodeId, stage.run, blocked, stage.until);
      const detail = stage.run.failure?.description;
      return {
        nodeId,
        visit: stage.run.visit,
        state: 'HOOK',
        attempt: Math.max(1, stage.run.attempt),
        since: stage.run.attemptAt,
        ...(stage.until === undefined ? undefined : { until: stage.until }),
        ...(detail === undefined ? undefined : { detail }),
      };
    }
  }
}

/**
 * The position of a blocked call. `attempt` is the number of the blocked attempt; `until` is when it is tried again at
 * the latest.
 */
function blockedNode(
  nodeId: string,
  { visit, attempt }: { readonly visit: number; readonly attempt: number },
  { since, detail }: Blocked,
  until: number | undefined,
): CurrentNode {
  const at = { nodeId, visit, state: 'BLOCKED', attempt: attempt + 1, since, detail } as const;
  return until === undefined ? at : { ...at, until };
}

/** What a split waits for. */
function waitText(
  plan: Pick<Plan, 'nodes'> | undefined,
  nodeId: string,
  branches: Readonly<Record<string, BranchEnd>>,
  open: readonly string[],
): string {
  const named = open.join(', ');
  const join = plan?.nodes.get(plan.nodes.get(nodeId)?.join ?? '');
  if (join?.kind !== 'join' || join.mode !== 'first') return `Waits for the branches ${named}.`;
  const winner = Object.keys(branches).find((entry) => branches[entry]?.status === 'SUCCEEDED');
  return winner === undefined
    ? `Waits for the first of the branches ${named}.`
    : `${winner} was first; the branches ${named} are undone.`;
}
