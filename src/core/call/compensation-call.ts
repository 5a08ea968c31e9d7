import type { CallPlan, NodePlan } from '../plan.ts';

/** The call that compensates a visit of a node; undefined if no call does. */
export function compensationCall(node: NodePlan | undefined): CallPlan | undefined {
  if (node?.kind === 'task') return node.compensation;
  return node?.kind === 'workflow' && typeof node.compensation === 'object' ? node.compensation : undefined;
}
