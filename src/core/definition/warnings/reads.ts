import type { Ask, Asks } from '../../plan.ts';
import type { TemplatePath } from '../../template/path.ts';
import type { Read } from '../compiling.ts';
import type { Flow } from '../flow.ts';
import type { Draft } from '../node-draft.ts';
import { quote, type Problems } from '../problems.ts';

/**
 * Groups reads into the outputs that each place asks for, and reports whether any read depends on the order of
 * completion.
 */
export function summarizeReads(reads: readonly Read[], draft: Draft): { asks: Asks; usesOrder: boolean } {
  const byPlace = Map.groupBy(reads, ({ moment }) => moment.kind);
  const byNode = (kind: 'during' | 'condition' | 'compensation' | 'collect'): ReadonlyMap<string, Ask> => {
    const asks = new Map<string, Ask>();
    const ofKind = byPlace.get(kind) ?? [];
    for (const [nodeId, of] of Map.groupBy(ofKind, ({ moment }) => ('nodeId' in moment ? moment.nodeId : ''))) {
      const ask = askOf(of);
      if (ask !== undefined) asks.set(nodeId, ask);
    }
    return asks;
  };
  const onSuccess = askOf(byPlace.get('onSuccess') ?? []);
  const onFailure = askOf(byPlace.get('onFailure') ?? []);
  const during = byNode('during');
  const condition = byNode('condition');
  const entry = new Map<string, Ask>();
  for (const { id = '', request } of draft.nodes) {
    const ask = joined(during.get(id), condition.get(id));
    if (request === undefined && ask !== undefined) entry.set(id, ask);
  }
  const asks = {
    during,
    condition,
    entry,
    compensation: byNode('compensation'),
    collect: collected(byNode('collect'), draft),
    ...(onSuccess === undefined ? undefined : { onSuccess }),
    ...(onFailure === undefined ? undefined : { onFailure }),
  };
  return { asks, usesOrder: reads.some(({ path }) => path.usesOrder) };
}

/** What the end of an item reads: its `collect`, by default the last response. */
function collected(asks: ReadonlyMap<string, Ask>, draft: Draft): ReadonlyMap<string, Ask> {
  const all = new Map(asks);
  for (const { id = '', kind, json } of draft.nodes) {
    if (kind === 'forEach' && (json['collect'] ?? null) === null) all.set(id, { nodes: [], prev: true });
  }
  return all;
}

function joined(a: Ask | undefined, b: Ask | undefined): Ask | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const nodes = a.nodes === 'all' || b.nodes === 'all' ? 'all' : [...new Set([...a.nodes, ...b.nodes])];
  return { nodes, prev: a.prev || b.prev };
}

function askOf(reads: readonly Read[]): Ask | undefined {
  const nodes = new Set<string>();
  let prev = false;
  let all = false;
  for (const { path } of reads) {
    if (path.root === 'prev') prev = true;
    // Reading the order needs the outputs of all nodes, which determine the nodes that are visible.
    else if (path.anyNode || path.usesOrder) all = true;
    else if (path.nodeId !== undefined) nodes.add(path.nodeId);
  }
  return all || prev || nodes.size > 0 ? { nodes: all ? 'all' : [...nodes], prev } : undefined;
}

/** Warns about reads of nodes that some path to the place does not visit, and of responses that may be missing. */
export function warnOfReads(reads: readonly Read[], draft: Draft, flow: Flow, problems: Problems): void {
  for (const { place, moment, path } of reads) {
    const { nodeId } = path;
    if (nodeId === undefined || !draft.byId.has(nodeId)) continue;
    const read = quote(path.text);
    const node = quote(nodeId);
    switch (moment.kind) {
      case 'condition':
      case 'collect':
      case 'onFailure':
        break;
      case 'onSuccess':
        if (flow.isCertainAtEnd(nodeId)) break;
        problems.warn(place, `${read} is missing when the run ends on a way that does not visit ${node}.`);
        break;
      case 'compensation':
        if (nodeId === moment.nodeId) {
          if (moment.compensateWhen === 'completed' || !readsAnswer(path)) break;
          problems.warn(
            place,
            `${read} is missing when the outcome of ${node} is unknown; read idempotencyKey or payload instead, or set compensateWhen to "completed".`,
          );
          break;
        }
        warnUnlessCertain(moment.nodeId);
        break;
      case 'during':
        warnUnlessCertain(moment.nodeId);
        break;
      default:
        moment satisfies never;
    }

    function warnUnlessCertain(reader: string): void {
      if (nodeId === undefined || flow.isCertainBefore(reader, nodeId)) return;
      // The visit number and the idempotency key are known as soon as the node is entered.
      if (reader === nodeId && (path.field === 'visit' || path.field === 'idempotencyKey')) return;
      const why =
        reader === nodeId
          ? `the node has no answer of its own yet when it first gets there`
          : `some way to ${quote(reader)} does not visit ${node}`;
      problems.warn(place, `${read} may be missing: ${why}.`);
    }
  }
}

/** Whether a path reads the response of the node's own call or the body of its callback. */
function readsAnswer(path: TemplatePath): boolean {
  if (path.root === 'step') {
    return path.field === undefined || path.field === 'body' || path.field === 'up';
  }
  return path.field === undefined || path.field === 'response' || path.field === 'callback';
}
