import { dueAt } from '../due.ts';
import type { Plan } from '../plan.ts';
import type { State } from '../state.ts';

/** An execution counts as stuck without a checkpoint for this time plus the timeout of its call. */
export const patienceMillis = 60_000;

/** The time limits of calls, in milliseconds. */
export interface CallTimes {
  /** Of a call without its own. */
  readonly usual: number;
  readonly max: number;
}

/** Whether an execution is due or runs, and has had no checkpoint for longer than a call under way can explain. */
export function isStuck(
  state: State,
  plan: Plan | undefined,
  updatedAt: number,
  now: number,
  times: CallTimes,
): boolean {
  const due = dueAt(state);
  if (due === null) return false;
  const since = now - Math.max(due, updatedAt);
  return since > patienceMillis + Math.min(longestCallMillis(state, plan, times.usual), times.max);
}

/** The longest possible duration of a call under way; 0 if there is none. */
export function longestCallMillis(state: State, plan: Plan | undefined, otherwise: number): number {
  const times = state.tokens.map(({ nodeId, stage }) => {
    if (stage.kind === 'hook' && stage.callId !== undefined) {
      const hook = stage.run.hook === 'onSuccessCallback' ? plan?.onSuccess : plan?.onFailure;
      return hook?.timeoutMillis ?? otherwise;
    }
    if (stage.kind === 'unwinding' && stage.callId !== undefined && stage.undo !== undefined) {
      const node = plan?.nodes.get(stage.undo.target.nodeId);
      return (node?.kind === 'task' ? node.compensation?.timeoutMillis : undefined) ?? otherwise;
    }
    if (stage.kind !== 'calling') return 0;
    const node = plan?.nodes.get(nodeId);
    return (node?.kind === 'task' ? node.call.timeoutMillis : undefined) ?? otherwise;
  });
  return Math.max(0, ...times);
}
