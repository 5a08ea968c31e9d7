import type { Draft } from '../draft.ts';
import type { StepOutput } from '../history.ts';
import type { Token } from '../state.ts';
import { failExecution } from '../transition/failure.ts';

/** Counts a visit. If the round has reached its limit of visits, fails the execution and returns undefined. */
export function countVisit(d: Draft, token: Token, nodeId: string): number | undefined {
  const { limits } = d.env;
  const limit = Math.min(d.plan.maxNodeVisits ?? limits.maxNodeVisits, limits.maxNodeVisitsCap);
  if (d.state.totalVisits >= limit) {
    failExecution(
      d,
      {
        status: 'FAILED',
        reason: 'visits',
        description: `The round made ${String(limit)} node visits, which is its limit (maxNodeVisits).`,
        nodeId,
      },
      token,
    );
    return undefined;
  }
  const { visits } = d.state;
  const visit = (Object.hasOwn(visits, nodeId) ? (visits[nodeId] ?? 0) : 0) + 1;
  d.state.visits = { ...visits, [nodeId]: visit };
  d.state.totalVisits++;
  return visit;
}

/** The common fields of a step row of a node without a call. */
export function quietRow(
  d: Draft,
  token: Token,
  node: { readonly id: string; readonly index: number },
  visit: number,
  since: number = d.now,
): {
  nodeId: string;
  index: number;
  visit: number;
  attempt: number;
  startedAt: number;
  attemptAt: number;
  scope: string;
  output?: StepOutput;
} {
  return {
    nodeId: node.id,
    index: node.index,
    visit,
    attempt: 1,
    startedAt: since,
    attemptAt: since,
    scope: token.scope,
    // There is no response, but the empty output makes the visit number readable.
    ...(d.plan.visitsRead.has(node.id) ? { output: {} } : undefined),
  };
}
