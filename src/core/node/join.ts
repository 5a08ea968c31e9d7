import { present } from '../definition/shape/shape-check.ts';
import type { JoinPlan } from '../plan.ts';
import { goTo } from '../transition/route.ts';
import { nextOf, type NodeKind } from './kind.ts';

/** The end of a split's branches. The token of the split completes it; the compiler lets no other edge lead here. */
export const joinKind: NodeKind<JoinPlan> = {
  compile(node, base) {
    const onBranchFailure = present(node.json, 'onBranchFailure') === 'continue' ? 'continue' : 'fail';
    return { ...base, kind: 'join', onBranchFailure, ...nextOf(node) };
  },
  enter: (d, token, node) => goTo(d, token, node.next),
};
