import { edgeAt } from '../definition/node-draft.ts';
import { next, nodeShape, optional } from '../definition/shape/fields.ts';
import { present } from '../definition/shape/shape-check.ts';
import type { JoinPlan } from '../plan.ts';
import { goTo } from '../transition/route.ts';
import { nextOf, type NodeKind } from './kind.ts';

/**
 * The end of the branches of a split. The token of the split completes it; the compiler accepts no other edge to it.
 */
export const joinKind: NodeKind<JoinPlan> = {
  shape: nodeShape({
    mode: optional(
      { type: 'choice', values: ['all', 'first'] },
      'Whether all branches are awaited (default), or the first that succeeds decides and the others are undone.',
    ),
    onBranchFailure: optional(
      { type: 'choice', values: ['fail', 'continue'] },
      'Whether a failed branch fails the execution (default) or only that branch is compensated; with mode first, whether it fails when all branches have failed.',
    ),
    next,
  }),
  read: (json, path) => ({ edges: edgeAt('next', json, path), fields: ['response'] }),
  compile(node, base, compiling) {
    const onBranchFailure = present(node.json, 'onBranchFailure') === 'continue' ? 'continue' : 'fail';
    const mode = present(node.json, 'mode') === 'first' ? 'first' : 'all';
    if (mode === 'first') compiling.needs.format = 2;
    return { ...base, kind: 'join', mode, onBranchFailure, ...nextOf(node) };
  },
  enter: (d, token, node) => goTo(d, token, node.next),
};
