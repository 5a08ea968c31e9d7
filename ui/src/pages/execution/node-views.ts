import type { Execution, Place } from '../../api/executions.ts';
import type { Timeline, TimelineRow } from '../../api/timeline.ts';
import type { Undo } from './undo-order.ts';

/** What a run did at a node: the latest visit of the latest round. */
export interface NodeView {
  readonly nodeId: string;
  /** Visits of all rounds. */
  readonly visits: number;
  readonly attempts: number;
  /** `unknown` if any attempt of the visit was. */
  readonly outcome?: string | undefined;
  readonly place?: Place | undefined;
  readonly undo?: Undo | undefined;
  readonly stands?: string | undefined;
  readonly durationMillis?: number | undefined;
}

/** What a run did at each node that it has reached, by node. */
export function nodeViews(
  run: Execution,
  { nodes, rows }: Pick<Timeline, 'nodes' | 'rows'>,
  undos: readonly Undo[],
): ReadonlyMap<string, NodeView> {
  // Of several visits the one that is undone first.
  const undo = new Map(undos.toReversed().map((each) => [each.nodeId, each]));
  const places = new Map(run.currentNodes.toReversed().map((place) => [place.nodeId, place]));
  const standing = new Map(run.standing.map(({ nodeId, outcome }) => [nodeId, outcome]));
  const durations = durationsOf(rows);
  const views = nodes.map(({ nodeId, visits, attempts, outcome }): NodeView => ({
    nodeId,
    visits,
    attempts,
    outcome,
    place: places.get(nodeId),
    undo: undo.get(nodeId),
    stands: standing.get(nodeId),
    durationMillis: durations.get(nodeId),
  }));
  return new Map(views.map((view) => [view.nodeId, view]));
}

/** How long the latest visit of each node took, compensations and hooks aside. */
function durationsOf(rows: readonly TimelineRow[]): ReadonlyMap<string, number> {
  const spans = new Map<string, { visit: string; from: number; to: number }>();
  for (const { kind, nodeId, round, visit, from, to = from } of rows) {
    if (kind === 'compensation' || kind === 'hook' || kind === 'control') continue;
    const name = `${String(round)}.${String(visit)}`;
    const known = spans.get(nodeId);
    if (known?.visit === name) {
      known.from = Math.min(known.from, from);
      known.to = Math.max(known.to, to);
    } else spans.set(nodeId, { visit: name, from, to });
  }
  return new Map([...spans].map(([nodeId, { from, to }]) => [nodeId, to - from]));
}

/** The class of a node in the graph. */
export function nodeTone(view: NodeView | undefined): string {
  if (view === undefined) return 'not';
  const { place, undo, outcome, stands } = view;
  const isStanding = stands === undefined ? '' : ' standing';
  if (place !== undefined) return `${placeTone(place.state)}${isStanding}`;
  if (stands === 'unknown') return 'unknown standing';
  if (stands !== undefined) return 'ok standing';
  if (undo?.state === 'done' || undo?.state === 'resolved') return 'undone';
  switch (outcome) {
    case 'succeeded':
      return 'ok';
    case 'unknown':
      return 'unknown';
    case 'rejected':
    case 'unsent':
      return 'failed';
    default:
      return 'plain';
  }
}

function placeTone(state: string): string {
  switch (state) {
    case 'BLOCKED':
      return 'blocked';
    case 'WAITING_CALLBACK':
      return 'waiting';
    case 'SLEEPING':
      return 'sleeping';
    case 'COMPENSATING':
      return 'undone';
    default:
      return 'running';
  }
}
