/** What is certain, and what is possible, on the ways through a sound graph. */
import type { Draft, NodeDraft } from './draft.ts';
import type { Branch, Layout } from './graph.ts';

/** Questions about the ways through a graph. */
export interface Flow {
  /** Whether every way to `node` has visited `other` before. */
  isCertainBefore(node: string, other: string): boolean;
  /** Whether every way to a successful end has visited `node`. */
  isCertainAtEnd(node: string): boolean;
  /** Ids of the nodes that may run after, or beside, a node once that has succeeded; in document order. */
  possibleAfter(node: string): readonly string[];
}

/** Analyses a graph that `checkGraph` found sound. */
export function analyseFlow(draft: Draft, layout: Layout): Flow {
  const bits = new Map(draft.nodes.map((node, index) => [node.id ?? '', 1n << BigInt(index)]));
  const ends = findEnds(draft, layout);
  const { before, atEnds } = computeCertain(draft, layout, bits, ends);
  const holds = (set: bigint, id: string): boolean => (set & (bits.get(id) ?? 0n)) !== 0n;
  return {
    isCertainBefore: (node, other) => holds(before.get(node) ?? 0n, other),
    isCertainAtEnd: (node) => holds(atEnds(undefined), node),
    possibleAfter: (node) => computePossible(draft, layout, node),
  };
}

/** The nodes at which each branch, and the run itself (undefined), ends well. */
type Ends = ReadonlyMap<Branch | undefined, readonly NodeDraft[]>;

function findEnds(draft: Draft, layout: Layout): Ends {
  const ends = new Map<Branch | undefined, NodeDraft[]>();
  for (const node of draft.nodes) {
    if (node.kind === 'fail') continue;
    const branch = layout.places.get(node.id ?? '');
    const goesOn = node.edges.some((edge) => edge.via === 'next' || edge.via === 'default' || edge.via === 'join');
    const goesToJoin = node.edges.some((edge) => edge.via !== 'join' && edge.target === branch?.join);
    if (!goesOn || goesToJoin) ends.set(branch, [...(ends.get(branch) ?? []), node]);
  }
  return ends;
}

/**
 * Sets of nodes are bits. The sets are the greatest that satisfy: certain before a node is what is certain after each of
 * its predecessors; certain before a join is what is certain after its split and, unless failed branches are let pass,
 * at the ends of every branch. They begin full and only shrink, so the loop ends.
 */
function computeCertain(
  draft: Draft,
  layout: Layout,
  bits: ReadonlyMap<string, bigint>,
  ends: Ends,
): { before: ReadonlyMap<string, bigint>; atEnds: (branch: Branch | undefined) => bigint } {
  const all = (1n << BigInt(draft.nodes.length)) - 1n;
  const before = new Map<string, bigint>();
  const after = (node: NodeDraft): bigint => (before.get(node.id ?? '') ?? all) | (bits.get(node.id ?? '') ?? 0n);
  const common = (nodes: readonly NodeDraft[]): bigint => nodes.reduce((set, node) => set & after(node), all);
  const atEnds = (branch: Branch | undefined): bigint => common(ends.get(branch) ?? []);

  const predecessors = new Map<string, NodeDraft[]>();
  const owners = new Map<string, NodeDraft>();
  for (const node of draft.nodes) {
    for (const { via, target } of node.edges) {
      if (via === 'join') owners.set(target, node);
      else if (predecessors.get(target)?.push(node) === undefined) predecessors.set(target, [node]);
    }
  }
  const compute = (node: NodeDraft, id: string): bigint => {
    if (id === draft.entry) return 0n;
    const split = owners.get(id);
    if (split === undefined) return common(predecessors.get(id) ?? []);
    if (node.json['onBranchFailure'] === 'continue') return after(split);
    return split.edges
      .filter((edge) => edge.via === 'branch')
      .reduce((set, edge) => set | atEnds(layout.places.get(edge.target)), after(split));
  };
  const order = inWalkingOrder(draft, layout);
  for (let changed = true; changed;) {
    changed = false;
    for (const node of order) {
      const id = node.id ?? '';
      const set = compute(node, id);
      if (set === (before.get(id) ?? all)) continue;
      before.set(id, set);
      changed = true;
    }
  }
  return { before, atEnds };
}

/** The nodes in an order in which, loops aside, each comes after all that lead to it: few rounds are then enough. */
function inWalkingOrder(draft: Draft, layout: Layout): NodeDraft[] {
  const order: NodeDraft[] = [];
  const seen = new Set<string>();
  const targets = (id: string): string[] => {
    const join = layout.places.get(id)?.join;
    return [...(draft.byId.get(id)?.edges ?? []).map((edge) => edge.target), ...(join === undefined ? [] : [join])];
  };
  const stack: { id: string; rest: string[] }[] = [];
  const enter = (id: string): void => {
    if (seen.has(id)) return;
    seen.add(id);
    stack.push({ id, rest: targets(id) });
  };
  if (draft.entry !== undefined) enter(draft.entry);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const target = top.rest.shift();
    if (target !== undefined) {
      enter(target);
      continue;
    }
    stack.pop();
    const node = draft.byId.get(top.id);
    if (node !== undefined) order.push(node);
  }
  return order.reverse();
}

function computePossible(draft: Draft, layout: Layout, start: string): string[] {
  const reached = new Set<string>();
  const pending: string[] = [];
  const reach = (id: string): void => {
    if (reached.has(id)) return;
    reached.add(id);
    pending.push(id);
  };
  const follow = (id: string, hasSucceeded: boolean): void => {
    for (const edge of draft.byId.get(id)?.edges ?? []) {
      if (!hasSucceeded || edge.via !== 'onFailure') reach(edge.target);
    }
    const branch = layout.places.get(id);
    if (branch !== undefined) reach(branch.join);
  };
  follow(start, true);
  // A failing sibling branch fails the execution as a whole, unless its join continues.
  for (let branch = layout.places.get(start); branch !== undefined; branch = branch.outer) {
    if (draft.byId.get(branch.join)?.json['onBranchFailure'] === 'continue') continue;
    for (const edge of draft.byId.get(branch.split)?.edges ?? []) {
      if (edge.via === 'branch' && edge.target !== branch.entry) reach(edge.target);
    }
  }
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) follow(id, false);
  return draft.nodes.flatMap((node) => (node.id !== undefined && reached.has(node.id) ? [node.id] : []));
}
