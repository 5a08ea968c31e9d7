import type { Json } from '../../core/value/json.ts';
import type { CurrentNode } from '../../core/summary.ts';
import { instant } from '../instants.ts';
import { itemField } from '../queries/history.ts';

/** Largest number of current nodes in a document. */
export const maxCurrentNodes = 256;

/** The positions of an execution as clients see them; `awaited` describes the children that are awaited, by id. */
export function currentNodeDocuments(
  nodes: readonly CurrentNode[],
  awaited: ReadonlyMap<string, string> = new Map(),
): readonly Json[] {
  return nodes.slice(0, maxCurrentNodes).map((node) => ({
    nodeId: node.nodeId,
    visit: node.visit,
    ...itemField(node.item),
    state: node.state,
    attempt: node.attempt,
    since: instant(node.since),
    ...(node.until !== undefined && { until: instant(node.until) }),
    ...detailOf(node, awaited),
  }));
}

function detailOf(node: CurrentNode, awaited: ReadonlyMap<string, string>): { readonly detail?: string } {
  const child = node.child === undefined ? undefined : awaited.get(node.child);
  const detail = [child, node.detail].filter((text) => text !== undefined).join(' ');
  return detail === '' ? {} : { detail };
}
