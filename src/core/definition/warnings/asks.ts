import type { Ask, Asks, NodePlan, Plan } from '../../plan.ts';
import type { Draft } from '../node-draft.ts';

/** The nodes of an ask as a bit set by node index. */
function bitsOf(ask: Ask | undefined, nodes: ReadonlyMap<string, NodePlan>): bigint {
  if (ask === undefined) return 0n;
  let bits = 0n;
  for (const id of ask.nodes === 'all' ? nodes.keys() : ask.nodes) {
    const node = nodes.get(id);
    if (node !== undefined) bits |= 1n << BigInt(node.index);
  }
  return bits;
}

/**
 * The nodes whose outputs are found by id. An async task is one of them, because several rows make its output; all others are
 * also found by reference.
 */
function soughtOf(nodes: ReadonlyMap<string, NodePlan>, asks: Asks): ReadonlySet<string> {
  const sought = new Set<string>();
  const { during, condition, compensation, collect, onSuccess, onFailure } = asks;
  const ofNodes = [during, condition, compensation, collect].flatMap((each) => [...each.values()]);
  for (const ask of [...ofNodes, onSuccess, onFailure]) {
    if (ask?.nodes === 'all') return new Set(nodes.keys());
    for (const id of ask?.nodes ?? []) sought.add(id);
  }
  for (const node of nodes.values()) if (node.kind === 'task' && node.mode === 'async') sought.add(node.id);
  return sought;
}

/**
 * Computes which node outputs can still be read from each node on, and at the end. Propagates the asks backwards
 * through the graph, loops included, until nothing changes.
 */
export function analyseAsks(
  draft: Draft,
  nodes: ReadonlyMap<string, NodePlan>,
  asks: Asks,
): Pick<Plan, 'sought' | 'askedFrom' | 'askedAtEnd'> {
  const askedFrom = new Map<string, bigint>();
  const before = new Map<string, string[]>();
  for (const { id = '', edges } of draft.nodes) {
    askedFrom.set(
      id,
      bitsOf(asks.during.get(id), nodes) | bitsOf(asks.condition.get(id), nodes) | bitsOf(asks.collect.get(id), nodes),
    );
    for (const { target } of edges) if (before.get(target)?.push(id) === undefined) before.set(target, [id]);
  }
  // Later nodes usually come later in the document; processing them first means most nodes change only once.
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
  return {
    sought: soughtOf(nodes, asks),
    askedFrom,
    askedAtEnd: bitsOf(asks.onSuccess, nodes) | bitsOf(asks.onFailure, nodes),
  };
}
