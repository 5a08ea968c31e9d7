import type { Draft } from '../draft.ts';
import type { StepOutput } from '../history.ts';
import type { Token } from '../state.ts';

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
