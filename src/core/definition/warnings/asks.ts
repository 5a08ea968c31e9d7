/** Which outputs can still be asked for, wherever an execution stands. */
import type { Ask, Asks, NodePlan, Plan } from '../../plan.ts';

/** Nodes as bits by their index. */
function bitsOf(ask: Ask | undefined, nodes: ReadonlyMap<string, NodePlan>): bigint {
  if (ask === undefined) return 0n;
  let bits = 0n;
  for (const id of ask.nodes === 'all' ? nodes.keys() : ask.nodes) {
    const node = nodes.get(id);
    if (node !== undefined) bits |= 1n << BigInt(node.index);
  }
  return bits;
}

/** The nodes that a token may come to next from a node, those at which its branches begin included. */
function nextOf(node: NodePlan): readonly (string | undefined)[] {
  switch (node.kind) {
    case 'task':
      return [node.next, node.onFailure];
    case 'switch':
      return [...node.cases.map(({ target }) => target), node.default];
    case 'split':
      return [...node.branches, node.join];
    case 'sleep':
    case 'join':
      return [node.next];
    case 'fail':
      return [];
  }
}

/** Follows the ways through a graph backwards, loops included: what a node asks for, those before it may still ask for. */
export function analyseAsks(nodes: ReadonlyMap<string, NodePlan>, asks: Asks): Pick<Plan, 'askedFrom' | 'askedAtEnd'> {
  const askedFrom = new Map<string, bigint>();
  const before = new Map<string, string[]>();
  for (const node of nodes.values()) {
    askedFrom.set(node.id, bitsOf(asks.during.get(node.id), nodes) | bitsOf(asks.condition.get(node.id), nodes));
    for (const next of nextOf(node)) {
      if (next !== undefined && before.get(next)?.push(node.id) === undefined) before.set(next, [node.id]);
    }
  }
  // The later ones first, since they mostly come last: then most nodes change once.
  const pending = [...nodes.keys()];
  const waiting = new Set(pending);
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    waiting.delete(id);
    const own = askedFrom.get(id) ?? 0n;
    for (const earlier of before.get(id) ?? []) {
      const known = askedFrom.get(earlier) ?? 0n;
      if ((known | own) === known) continue;
      askedFrom.set(earlier, known | own);
      if (waiting.has(earlier)) continue;
      waiting.add(earlier);
      pending.push(earlier);
    }
  }
  return { askedFrom, askedAtEnd: bitsOf(asks.onSuccess, nodes) | bitsOf(asks.onFailure, nodes) };
}
