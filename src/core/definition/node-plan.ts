import { kindOf } from '../node/kinds.ts';
import type { NodePlan, RetryPolicy } from '../plan.ts';
import type { Compiling } from './compiling.ts';
import { type Branch, loopsAround } from './graph.ts';
import type { NodeDraft } from './node-draft.ts';
import { quote, type Problems } from './problems.ts';

/** Compiles one node. Returns undefined if any part of it is invalid; the problem has then been reported. */
export function compileNode(
  node: NodeDraft,
  branch: Branch | undefined,
  failureHandling: RetryPolicy,
  compiling: Compiling,
): NodePlan | undefined {
  warnOfOddId(node, compiling.problems);
  const { kind } = node;
  if (kind === undefined) return undefined;
  const place = branch === undefined ? {} : { branch: { split: branch.split, entry: branch.entry, join: branch.join } };
  const loops = loopsAround(branch);
  const within = loops.length === 0 ? {} : { loops };
  const base = { id: node.id ?? '', index: node.index, ...place, ...within };
  return kindOf({ kind }).compile(node, base, { ...compiling, loops: loops.length }, failureHandling);
}

/** Warns about parts of nodes that have no effect. */
export function warnOfNodes(nodes: readonly NodeDraft[], problems: Problems): void {
  for (const node of nodes) if (node.kind !== undefined) kindOf({ kind: node.kind }).warn?.(node, problems);
}

function warnOfOddId(node: NodeDraft, problems: Problems): void {
  if (node.id === undefined || /^[\w-]+$/.test(node.id)) return;
  problems.warn(
    node.idPath,
    `${quote(node.id)} holds characters other than A-Z, a-z, 0-9, _ and -; they are awkward in URLs and templates.`,
  );
}
