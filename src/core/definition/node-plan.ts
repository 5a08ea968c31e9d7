import { nodeKinds } from '../node/kinds.ts';
import type { NodeKind } from '../node/kind.ts';
import type { NodePlan, RetryPolicy } from '../plan.ts';
import type { Compiling } from './call-plan.ts';
import type { NodeDraft } from './draft.ts';
import type { Branch } from './graph.ts';
import { quote, type Problems } from './problems.ts';

/** Compiles one node. Returns undefined if any part of it is invalid; the problem has then been reported. */
export function compileNode(
  node: NodeDraft,
  branch: Branch | undefined,
  failureHandling: RetryPolicy,
  compiling: Compiling,
): NodePlan | undefined {
  warnOfOddId(node, compiling.problems);
  if (node.kind === undefined) return undefined;
  const place = branch === undefined ? {} : { branch: { split: branch.split, entry: branch.entry, join: branch.join } };
  const kind: NodeKind = nodeKinds[node.kind];
  return kind.compile(node, { id: node.id ?? '', index: node.index, ...place }, compiling, failureHandling);
}

function warnOfOddId(node: NodeDraft, problems: Problems): void {
  if (node.id === undefined || /^[\w-]+$/.test(node.id)) return;
  problems.warn(
    node.idPath,
    `${quote(node.id)} holds characters other than A-Z, a-z, 0-9, _ and -; they are awkward in URLs and templates.`,
  );
}
