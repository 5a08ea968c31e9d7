import { present } from '../definition/shape/shape-check.ts';
import type { JoinPlan } from '../plan.ts';
import { goTo } from '../transition/route.ts';
import { nextOf, type NodeKind } from './kind.ts';

/**
 * The end of the branches of a split. The token of the split completes it; the compiler accepts no other edge to it.
 */
export const joinKind: NodeKind<JoinPlan> = {
  compile(node, base) {
    const onBranchFailure = present(node.json, 'onBranchFailure') === 'continue' ? 'continue' : 'fail';
    return { ...base, kind: 'join', onBranchFailure, ...nextOf(node) };
  },
  enter: (d, token, node) => goTo(d, token, node.next),
};
