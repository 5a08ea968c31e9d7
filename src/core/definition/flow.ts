import type { Draft, Edge, NodeDraft } from './node-draft.ts';
import type { Branch, Layout } from './graph.ts';

/** Which nodes are certain, and which are possible, on the paths through a sound graph. */
export interface Flow {
  /** Whether every path to `node` visits `other` first. */
  isCertainBefore(node: string, other: string): boolean;
  /** Whether every path to a successful end visits `node`. */
  isCertainAtEnd(node: string): boolean;
  /** Ids of the nodes that may run after, or in parallel with, a node that has succeeded; in document order. */
  possibleAfter(node: string): readonly string[];
}

/** Analyses a graph that `checkGraph` found to be sound. */
export function analyseFlow(draft: Draft, layout: Layout): Flow {
  const bits = new Map(draft.nodes.map((node, index) => [node.id ?? '', 1n << BigInt(index)]));
  const ends = findEnds(draft, layout);
  const { before, atEnds } = computeCertain(draft, layout, bits, ends);
  const possible = createPossible(draft, layout);
  const holds = (set: bigint, id: string): boolean => (set & (bits.get(id) ?? 0n)) !== 0n;
  return {
    isCertainBefore: (node, other) => holds(before.get(node) ?? 0n, other),
    isCertainAtEnd: (node) => holds(atEnds(undefined), node),
    possibleAfter: possible,
  };
}

/** The nodes at which each branch, and the run itself (undefined), ends successfully. */
type Ends = ReadonlyMap<Branch | undefined, readonly NodeDraft[]>;

function findEnds(draft: Draft, layout: Layout): Ends {
  const ends = new Map<Branch | undefined, NodeDraft[]>();
  for (const node of draft.nodes) {
    if (node.neverSucceeds === true) continue;
    const branch = layout.places.get(node.id ?? '');
    const goesOn = node.edges.some((edge) => edge.via === 'next' || edge.via === 'default' || edge.via === 'join');
    const goesToJoin = node.edges.some((edge) => edge.via !== 'join' && edge.target === branch?.join);
    if (goesOn && !goesToJoin) continue;
    if (ends.get(branch)?.push(node) === undefined) ends.set(branch, [node]);
  }
  return ends;
}

/**
 * Computes, as bit sets, the nodes that are certain to be visited before each node. This is a greatest fixed point: the
 * set of a node is the intersection of its predecessors' sets, each including the predecessor itself. The set of a join
 * is that of its split, plus the ends of every branch unless `onBranchFailure` is `continue`. Sets begin full and only
 * shrink, so the loop terminates. A set is recomputed only when a set it depends on has changed, so the work is
 * proportional to the number of changes even when loops propagate a change backwards one node at a time.
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
      const known = predecessors.get(target);
      if (via === 'join' || known?.at(-1) === node) continue;
      if (known?.push(node) === undefined) predecessors.set(target, [node]);
    }
  }
  const dependents = findDependents(draft, ends);
  const compute = (node: NodeDraft, id: string): bigint => {
    if (id === draft.entry) return 0n;
    const split = owners.get(id);
    if (split === undefined) return common(predecessors.get(id) ?? []);
    if (node.json['onBranchFailure'] === 'continue' || node.json['mode'] === 'first') return after(split);
    return split.edges
      .filter((edge) => edge.via === 'branch')
      .reduce((set, edge) => set | atEnds(layout.places.get(edge.target)), after(split));
  };
  const order = inWalkingOrder(draft, layout);
  const due = new Set(order);
  while (due.size > 0) {
    for (const node of order) {
      if (!due.delete(node)) continue;
      const id = node.id ?? '';
      const set = compute(node, id);
      if (set === (before.get(id) ?? all)) continue;
      before.set(id, set);
      for (const dependent of dependents.get(id) ?? []) due.add(dependent);
    }
  }
  return { before, atEnds };
}

/** For each node, the nodes whose sets depend on its set. */
function findDependents(draft: Draft, ends: Ends): ReadonlyMap<string, ReadonlySet<NodeDraft>> {
  const found = new Map<string, Set<NodeDraft>>();
  const add = (of: string, dependent: string): void => {
    const node = draft.byId.get(dependent);
    if (node === undefined) return;
    const known = found.get(of);
    if (known === undefined) found.set(of, new Set([node]));
    else known.add(node);
  };
  for (const { id = '', edges } of draft.nodes) for (const { target } of edges) add(id, target);
  for (const [branch, nodes] of ends) if (branch !== undefined) for (const { id = '' } of nodes) add(id, branch.join);
  return found;
}

/** Reverse postorder: apart from loops, every node comes after its predecessors, so few rounds suffice. */
function inWalkingOrder(draft: Draft, layout: Layout): NodeDraft[] {
  const order: NodeDraft[] = [];
  const seen = new Set<string>();
  const targets = (id: string): string[] => {
    const join = layout.places.get(id)?.join;
    const edges = (draft.byId.get(id)?.edges ?? []).map((edge) => edge.target);
    return (join === undefined ? edges : [...edges, join]).reverse();
  };
  const stack: { id: string; rest: string[] }[] = [];
  const enter = (id: string): void => {
    if (seen.has(id)) return;
    seen.add(id);
    stack.push({ id, rest: targets(id) });
  };
  if (draft.entry !== undefined) enter(draft.entry);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const target = top.rest.pop();
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

/**
 * Returns the function behind `possibleAfter`. It runs for every node, so it works on indices and follows each edge
 * once.
 */
function createPossible(draft: Draft, layout: Layout): (start: string) => string[] {
  const indices = new Map(draft.nodes.map((node, index) => [node.id ?? '', index]));
  const indexOf = (id: string): readonly number[] => {
    const index = indices.get(id);
    return index === undefined ? [] : [index];
  };
  /** The successors of a node after success, and after any outcome. */
  const ways = draft.nodes.map(({ id = '', edges }) => {
    const branch = layout.places.get(id);
    const join = branch === undefined ? [] : indexOf(branch.join);
    const to = (chosen: readonly Edge[]): readonly number[] => [
      ...new Set([...chosen.flatMap(({ target }) => indexOf(target)), ...join]),
    ];
    return { succeeded: to(edges.filter(({ via }) => via !== 'onFailure')), ended: to(edges) };
  });
  const siblings = (split: string): readonly string[] =>
    (draft.byId.get(split)?.edges ?? []).flatMap(({ via, target }) => (via === 'branch' ? [target] : []));
  return (start) => {
    const reached = new Uint8Array(ways.length);
    const pending: number[] = [];
    const reach = (index: number): void => {
      if (reached[index] === 1) return;
      reached[index] = 1;
      pending.push(index);
    };
    for (const index of indexOf(start)) ways[index]?.succeeded.forEach(reach);
    // A failing sibling branch fails the execution as a whole, unless its join continues.
    for (let branch = layout.places.get(start); branch !== undefined; branch = branch.outer) {
      if (draft.byId.get(branch.join)?.json['onBranchFailure'] === 'continue') continue;
      for (const entry of siblings(branch.split)) if (entry !== branch.entry) indexOf(entry).forEach(reach);
    }
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) ways[index]?.ended.forEach(reach);
    return draft.nodes.flatMap(({ id }, index) => (id !== undefined && reached[index] === 1 ? [id] : []));
  };
}
