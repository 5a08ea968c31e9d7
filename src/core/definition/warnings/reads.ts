/** Which nodes the templates and conditions of a definition read, and the warnings that follow from it. */
import type { Ask, Asks, CompensateWhen } from '../../plan.ts';
import type { TemplatePath } from '../../template/template.ts';
import type { Draft } from '../draft.ts';
import type { Flow } from '../flow.ts';
import { quote, type Path, type Problems } from '../problems.ts';

/** When a template is rendered, relative to the node that it belongs to. */
export type Moment =
  /** Before the node's visit has ended: its request, instant or reason. */
  | { readonly kind: 'during'; readonly nodeId: string }
  /** A condition: it may well ask which way the run has come. */
  | { readonly kind: 'condition'; readonly nodeId: string }
  /** After the visit. */
  | { readonly kind: 'compensation'; readonly nodeId: string; readonly compensateWhen: CompensateWhen }
  | { readonly kind: 'onSuccess' }
  /** Whatever the execution got to: nothing is certain, and everybody knows it. */
  | { readonly kind: 'onFailure' };

/** A path that stands somewhere in the definition. */
export interface Read {
  readonly place: Path;
  readonly moment: Moment;
  readonly path: TemplatePath;
}

/** What each place asks for, and whether the order of completion matters. */
export function summarizeReads(reads: readonly Read[]): { asks: Asks; usesOrder: boolean } {
  const byPlace = Map.groupBy(reads, ({ moment }) => moment.kind);
  const byNode = (kind: 'during' | 'condition' | 'compensation'): ReadonlyMap<string, Ask> => {
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
  const asks = {
    during: byNode('during'),
    condition: byNode('condition'),
    compensation: byNode('compensation'),
    ...(onSuccess === undefined ? undefined : { onSuccess }),
    ...(onFailure === undefined ? undefined : { onFailure }),
  };
  return { asks, usesOrder: reads.some(({ path }) => path.usesOrder) };
}

function askOf(reads: readonly Read[]): Ask | undefined {
  const nodes = new Set<string>();
  let prev = false;
  let all = false;
  for (const { path } of reads) {
    if (path.root === 'prev') prev = true;
    // The order is that of the nodes that a place can see, which their outputs tell.
    else if (path.anyNode || path.usesOrder) all = true;
    else if (path.nodeId !== undefined) nodes.add(path.nodeId);
  }
  return all || prev || nodes.size > 0 ? { nodes: all ? 'all' : [...nodes], prev } : undefined;
}

/** Warns of reads of nodes that some way to the place does not visit, and of answers that may not be there. */
export function warnOfReads(reads: readonly Read[], draft: Draft, flow: Flow, problems: Problems): void {
  for (const { place, moment, path } of reads) {
    const { nodeId } = path;
    if (nodeId === undefined || !draft.byId.has(nodeId)) continue;
    const read = quote(path.text);
    const node = quote(nodeId);
    switch (moment.kind) {
      case 'condition':
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
      // Known from the moment in which the node is entered.
      if (reader === nodeId && (path.field === 'visit' || path.field === 'idempotencyKey')) return;
      const why =
        reader === nodeId
          ? `the node has no answer of its own yet when it first gets there`
          : `some way to ${quote(reader)} does not visit ${node}`;
      problems.warn(place, `${read} may be missing: ${why}.`);
    }
  }
}

/** Whether a path reads what the node's own call or callback answered. */
function readsAnswer(path: TemplatePath): boolean {
  if (path.root === 'step') {
    return path.field === undefined || path.field === 'body' || path.field === 'up';
  }
  return path.field === undefined || path.field === 'response' || path.field === 'callback';
}
