import type { Plan } from '../../core/plan.ts';
import { currentNodes } from '../../core/summary.ts';
import type { Json, JsonObject } from '../../core/value/json.ts';
import { openRows } from '../../core/view/open-rows.ts';
import { placeStates } from '../../core/view/place.ts';
import { type TimelineRow, timelineRows } from '../../core/view/timeline.ts';
import { turns } from '../../engine/turns.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import { BadCursor } from '../../ports/store.ts';
import type { Revision } from '../../ports/store/revision.ts';
import { type Answer, granted, unknownExecution } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { instant } from '../instants.ts';
import { cancelled } from '../preview/cancelled.ts';
import { compensationsOf, effectsOf, inUndoOrder, undoWords } from '../queries/effects.ts';
import { isOver, planOf } from '../queries/run-view.ts';
import { type Revised, revisedAt } from '../queries/status.ts';
import { controlRows, type Neighbours, withControls } from './control-rows.ts';
import { type HistoryPart, readPart } from './history-parts.ts';
import { NodeTallies } from './node-tally.ts';

/** Rows before a page that are read as well, since a wait lies between the attempt before and its own. */
const contextRows = 100;

/** Rows of each kind that are read beyond the limit of a page, since some have no row in the timeline. */
const extraRows = 50;

/** Rows of each kind per read of a whole history. */
const scanRows = 5_000;

/** How a timeline is asked for. */
export interface TimelineRequest {
  readonly cursor: string | undefined;
  readonly order: 'asc' | 'desc';
  /** At least 1. A page has as many rows at most, but all that one row of the history tells. */
  readonly limit: number;
  /** Whether the caller has the timeline of a revision. */
  readonly isKnown?: ((revision: Revision) => boolean) | undefined;
}

/** A page of a timeline. */
export interface Timeline {
  readonly document: JsonObject;
  readonly cursor?: string;
}

/**
 * A page of what happened in an execution, attempt by attempt and wait by wait, without bodies, and on the first page what became of each
 * node. Throws BadCursor.
 */
export async function timeline(
  app: AppContext,
  id: string,
  request: TimelineRequest,
): Promise<Answer<Revised<Timeline>>> {
  const { order, limit } = request;
  const after = ordOf(request.cursor, order);
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  const { state } = detail;
  const at = revisedAt(detail);
  if (request.isKnown?.(at.revision) === true) return granted(at);
  const plan = await planOf(app, detail);
  // The rows of later checkpoints belong to another revision; the events after the position tell them.
  let from = after;
  let read = upTo(await readPart(app, id, { after, order, limit: limit + extraRows }), state.ord);
  let page = await cutPage(app, id, read, request, from);
  // Long loops have stretches of rows that exist for templates only.
  while (page.rows.length === 0 && page.next !== undefined) {
    from = page.next;
    read = upTo(await readPart(app, id, { after: from, order, limit: limit + extraRows }), state.ord);
    page = await cutPage(app, id, read, request, from);
  }
  const isNewest = order === 'asc' ? page.next === undefined : after === undefined;
  const rows = [...page.rows, ...(isNewest ? openRows(plan, state) : [])];
  const all = withControls(rows, await controlRows(app, detail, page.neighbours), page.neighbours.before);
  const shown = order === 'asc' ? all : all.toReversed();
  const documents: Json[] = [];
  for (const row of shown) {
    await turns.next();
    documents.push(app.masker.json(rowDocument(row)));
  }
  const nodes = after === undefined ? { nodes: await nodesOf(app, plan, detail, page.isWhole ? read : undefined) } : {};
  const document = { position: at.position, ...nodes, rows: documents };
  return granted({
    ...at,
    value: { document, ...(page.next !== undefined && { cursor: cursorOf(page.next, order) }) },
  });
}

function upTo(part: HistoryPart, last: number): HistoryPart {
  const isIn = ({ ord }: { readonly ord: number }): boolean => ord <= last;
  return { ...part, steps: part.steps.filter(isIn), calls: part.calls.filter(isIn) };
}

interface CutPage {
  /** In ascending order. */
  readonly rows: readonly TimelineRow[];
  readonly next?: number;
  readonly neighbours: Neighbours;
  /** Whether the page has all rows of the history. */
  readonly isWhole: boolean;
}

/** The rows of a page of the timeline: as many as fit, of whole rows of the history. */
async function cutPage(
  app: AppContext,
  id: string,
  read: HistoryPart,
  { order, limit }: TimelineRequest,
  after: number | undefined,
): Promise<CutPage> {
  const isAsc = order === 'asc';
  const edge = isAsc ? (after ?? 0) + 1 : read.next;
  const older =
    edge === undefined || edge <= 1
      ? { steps: [], calls: [] }
      : await readPart(app, id, { after: edge, order: 'desc', limit: contextRows });
  const made = timelineRows({
    steps: [...older.steps, ...read.steps],
    calls: [...older.calls, ...read.calls],
  });
  const firstShown = edge === undefined ? 0 : made.findIndex(({ seq }) => seq >= edge);
  const wanted = firstShown < 0 ? [] : made.slice(firstShown);
  const fit = fitting(isAsc ? wanted : wanted.toReversed(), limit);
  const next = fit.length < wanted.length ? fit.at(-1)?.seq : read.next;
  const rows = isAsc ? fit : fit.toReversed();
  const isFirst = after === undefined;
  const isMore = next !== undefined;
  const [hasOlder, hasNewer] = isAsc ? [!isFirst, isMore] : [isMore, !isFirst];
  const first = rows[0];
  const before = hasOlder && first !== undefined ? made[made.indexOf(first) - 1] : undefined;
  const until = hasNewer ? rows.at(-1)?.to : undefined;
  return {
    rows,
    ...(isMore && { next }),
    neighbours: {
      ...(before?.to !== undefined && { from: before.to }),
      ...(until !== undefined && { until }),
      isFirst: !hasOlder,
      before: { seq: before?.seq ?? 0, round: before?.round ?? 1 },
    },
    isWhole: isFirst && !isMore,
  };
}

/** The first rows, at most `limit`, but all of one row of the history. */
function fitting(rows: readonly TimelineRow[], limit: number): readonly TimelineRow[] {
  let end = Math.min(limit, rows.length);
  const isSplit = (at: number): boolean => at > 0 && at < rows.length && rows[at - 1]?.seq === rows[at]?.seq;
  while (isSplit(end)) end--;
  if (end > 0) return rows.slice(0, end);
  end = limit;
  while (isSplit(end)) end++;
  return rows.slice(0, end);
}

function rowDocument(row: TimelineRow): JsonObject {
  const { from, to, deadline, wait, ...rest } = row;
  return {
    ...(rest as JsonObject),
    from: instant(from),
    ...(to !== undefined && { to: instant(to) }),
    ...(deadline !== undefined && { deadline: instant(deadline) }),
    ...(wait !== undefined && { wait: { ...wait } }),
  };
}

/** What became of each node with a row, in the order of its first one. `whole`: all rows, if they were read. */
async function nodesOf(
  app: AppContext,
  plan: Plan,
  detail: ExecutionDetail,
  whole: HistoryPart | undefined,
): Promise<readonly Json[]> {
  const { state } = detail;
  const tallies = whole === undefined ? await tallyOf(app, detail) : tallied(new NodeTallies(), whole);
  const known = new Map(tallies.nodes);
  const states = statesOf(plan, detail);
  // A node whose first call is in flight has no row in the history yet.
  for (const nodeId of states.keys()) {
    if (plan.nodes.has(nodeId) && !known.has(nodeId)) {
      known.set(nodeId, { first: state.ord + 1, visits: 1, attempts: 0 });
    }
  }
  const undo = await undoOf(app, detail);
  return [...known].map(([nodeId, { visits, attempts, outcome }]) => {
    const standsAt = states.get(nodeId);
    const own = undo.get(nodeId);
    return {
      nodeId,
      kind: plan.nodes.get(nodeId)?.kind ?? 'task',
      visits,
      attempts,
      ...(outcome !== undefined && { outcome }),
      ...(standsAt !== undefined && { state: standsAt }),
      ...(own !== undefined && { undo: own }),
    };
  });
}

/** The most urgent state of each node at which the execution stands. */
function statesOf(plan: Plan, { state }: ExecutionDetail): ReadonlyMap<string, string> {
  const states = new Map<string, (typeof placeStates)[number]>();
  for (const at of currentNodes(plan, state)) {
    const before = states.get(at.nodeId);
    if (before === undefined || placeStates.indexOf(at.state) < placeStates.indexOf(before)) {
      states.set(at.nodeId, at.state);
    }
  }
  return states;
}

async function tallyOf(app: AppContext, { id, state }: ExecutionDetail): Promise<NodeTallies> {
  const tallies = new NodeTallies();
  for (let after: number | undefined = 0; after !== undefined;) {
    const part: HistoryPart = await readPart(app, id, { after, order: 'asc', limit: scanRows });
    tallied(tallies, upTo(part, state.ord));
    after = part.next;
  }
  return tallies;
}

function tallied(tallies: NodeTallies, { steps, calls }: HistoryPart): NodeTallies {
  for (const row of calls) tallies.call(row);
  for (const row of steps) tallies.step(row);
  return tallies;
}

/** The place of each node in the order of compensation: as a cancel now would undo it, or as it is undone. */
async function undoOf(app: AppContext, detail: ExecutionDetail): Promise<ReadonlyMap<string, JsonObject>> {
  const isRunning = !isOver(detail) && detail.state.verdict === undefined;
  const rows = isRunning
    ? (await cancelled(app, detail)).due
    : inUndoOrder(compensationsOf(detail, await effectsOf(app, detail)));
  const found = new Map<string, JsonObject>();
  for (const [i, { target, undo }] of rows.entries()) {
    if (found.has(target.nodeId)) continue;
    found.set(target.nodeId, { order: i + 1, state: isRunning ? 'PLANNED' : undoWords[undo ?? 'pending'] });
  }
  return found;
}

function cursorOf(ord: number, order: 'asc' | 'desc'): string {
  return `${order}.${String(ord)}`;
}

function ordOf(cursor: string | undefined, order: 'asc' | 'desc'): number | undefined {
  if (cursor === undefined || cursor === '') return undefined;
  const match = /^(asc|desc)\.(\d{1,10})$/.exec(cursor);
  if (match?.[1] !== order) throw new BadCursor('The cursor is none of this timeline in this order.');
  return Number(match[2]);
}
