import type { Execution, HistoryRow, Place } from '../../api/executions.ts';
import type { Undo } from './undo-order.ts';

/** What a run did at a node: the latest visit of the latest round. */
export interface NodeView {
  readonly nodeId: string;
  /** Visits of all rounds. */
  readonly visits: number;
  readonly attempts: number;
  /** `unknown` if any attempt of the visit was, unless it succeeded in the end. */
  readonly outcome?: string | undefined;
  readonly place?: Place | undefined;
  readonly undo?: Undo | undefined;
  readonly stands?: string | undefined;
  readonly durationMillis?: number | undefined;
  readonly statusCode?: number | undefined;
}

/** Phases of rows that are a compensation, a settlement by hand, or a hook, and no visit of the node itself. */
const beside: ReadonlySet<string> = new Set(['DOWN', 'RESOLVE', 'HOOK']);

/** Phases whose row says that a node was reached, without an outcome of a call. */
const quiet: ReadonlySet<string> = new Set(['SWITCH', 'SPLIT', 'JOIN', 'SET', 'FOREACH', 'SLEEP', 'FAIL', 'WORKFLOW']);

/** What a run did at each node that it has reached, by node. */
export function nodeViews(
  run: Execution,
  steps: readonly HistoryRow[],
  calls: readonly HistoryRow[],
  undos: readonly Undo[],
): ReadonlyMap<string, NodeView> {
  const views = new Map<string, NodeView>();
  const undo = byNode(undos);
  const rowsOf = Map.groupBy(
    [...steps, ...calls].filter(({ phase }) => !beside.has(phase)),
    ({ nodeId }) => nodeId,
  );
  const places = Map.groupBy(run.currentNodes, ({ nodeId }) => nodeId);
  const standing = new Map(run.standing.map(({ nodeId, outcome }) => [nodeId, outcome]));
  for (const nodeId of new Set([...rowsOf.keys(), ...places.keys(), ...standing.keys()])) {
    const rows = rowsOf.get(nodeId) ?? [];
    const place = places.get(nodeId)?.[0];
    const visits = new Set(rows.map(({ round, visit }) => `${String(round)}.${String(visit)}`));
    if (place?.visit !== undefined) visits.add(`${String(run.round)}.${String(place.visit)}`);
    const latest = rows.reduce<HistoryRow | undefined>(later, undefined);
    const ofVisit = rows.filter((row) => row.round === latest?.round && row.visit === latest.visit);
    const attempts = ofVisit.reduce((most, { attempt }) => Math.max(most, attempt), 0);
    const begin = Math.min(...ofVisit.map(({ startedAt }) => startedAt ?? Infinity));
    const end = Math.max(...ofVisit.map(({ createdAt }) => createdAt ?? -Infinity));
    views.set(nodeId, {
      nodeId,
      visits: visits.size,
      attempts,
      outcome: latest === undefined ? undefined : outcomeOf(ofVisit, latest),
      place,
      undo: undo.get(nodeId),
      stands: standing.get(nodeId),
      ...(Number.isFinite(end - begin) && { durationMillis: end - begin }),
      statusCode: latest?.statusCode,
    });
  }
  return views;
}

/** The later of two rows: by round, visit, attempt, and the time at which it was written. */
function later(a: HistoryRow | undefined, b: HistoryRow): HistoryRow {
  if (a === undefined) return b;
  const order =
    b.round - a.round || b.visit - a.visit || (b.createdAt ?? 0) - (a.createdAt ?? 0) || b.attempt - a.attempt;
  return order >= 0 ? b : a;
}

function outcomeOf(rows: readonly HistoryRow[], latest: HistoryRow): string {
  if (rows.some(({ phase, outcome }) => quiet.has(phase) && outcome === 'succeeded')) return 'succeeded';
  if (latest.outcome === 'succeeded') return 'succeeded';
  return rows.some(({ outcome }) => outcome === 'unknown') ? 'unknown' : latest.outcome;
}

/** Compensations by node. Of several visits the first that is sent. */
function byNode(undos: readonly Undo[]): ReadonlyMap<string, Undo> {
  return new Map(undos.toReversed().map((undo) => [undo.nodeId, undo]));
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
