import type { Json, JsonObject } from '../../core/value/json.ts';
import { hostsOf, waitsOf } from '../../core/waits.ts';
import type { ListedExecution } from '../../ports/listing.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { turns } from '../../engine/turns.ts';
import { findExecutions, type FindFilter } from './find.ts';
import type { AppContext } from '../context.ts';

/** Bounds on one count. */
export const topLimits: {
  /** The newest executions to count at most: about a second of work, spread over many turns of the event loop. */
  readonly maxCounted: number;
  /** Values per list in the answer. */
  readonly rows: { readonly default: number; readonly max: number };
} = { maxCounted: 10_000, rows: { default: 10, max: 100 } };

/** A count ends after this time with a partial result, because it occupies one of the few places for answers. */
const maxMillis = 5_000;
/** Rows per read. */
const chunkRows = 200;

/** Default statuses of the filter: executions that are not over or did not succeed. */
const defaultStatuses: readonly ExecutionStatus[] = [
  'IN_PROGRESS',
  'WAITING_CALLBACK',
  'SLEEPING',
  'COMPENSATING',
  'FAILED',
  'CANCELLED',
  'CORRUPTED',
  'TERMINATED',
];

const kinds = ['statuses', 'names', 'reasons', 'nodes', 'hosts', 'waits'] as const;
type Kind = (typeof kinds)[number];

/**
 * Counts executions by status, definition, reason, node, host and wait, for a first look at an incident.
 *
 * Returns `{ counted, more, statuses, names, reasons, nodes, hosts, waits }`. Each list has `{ value, count }`, the
 * most frequent first. An execution counts once for each of its values.
 */
export async function topDocument(app: AppContext, filter: FindFilter, rows: number): Promise<JsonObject> {
  const counts = new Map<Kind, Map<string, number>>(kinds.map((kind) => [kind, new Map<string, number>()]));
  const wanted = filter.statuses === undefined ? { ...filter, statuses: defaultStatuses } : filter;
  const end = app.clock.monotonic() + maxMillis;
  let counted = 0;
  let cursor: string | undefined;
  do {
    const limit = Math.min(chunkRows, topLimits.maxCounted - counted);
    const page = { limit, withState: true, ...(cursor === undefined ? undefined : { cursor }) };
    const { items, cursor: next } = await findExecutions(app, wanted, page);
    for (const item of items) {
      await turns.next();
      for (const [kind, values] of valuesOf(item)) {
        const of = counts.get(kind);
        for (const value of new Set(values)) of?.set(value, (of.get(value) ?? 0) + 1);
      }
    }
    counted += items.length;
    cursor = next;
  } while (cursor !== undefined && counted < topLimits.maxCounted && app.clock.monotonic() < end);
  const lists = Object.fromEntries(kinds.map((kind) => [kind, firstOf(counts.get(kind), rows)]));
  return app.masker.json({ counted, more: cursor !== undefined, ...lists }) as JsonObject;
}

function valuesOf(item: ListedExecution): readonly (readonly [Kind, readonly string[]])[] {
  const { status, name, reason, failedNodeId, state } = item;
  const waits = state === undefined ? [] : waitsOf(state);
  const undone = (state?.failedCompensations ?? []).map(({ nodeId }) => nodeId);
  const failed = reason === 'compensation' ? undone : failedNodeId === undefined ? [] : [failedNodeId];
  return [
    ['statuses', [status]],
    ['names', [name]],
    ['reasons', reason === undefined ? [] : [reason]],
    ['nodes', waits.length > 0 ? waits.map(({ nodeId }) => nodeId) : failed],
    ['hosts', state === undefined ? [] : hostsOf(state)],
    ['waits', waits.map((wait) => wait.state)],
  ];
}

function firstOf(counts: ReadonlyMap<string, number> | undefined, rows: number): readonly Json[] {
  return [...(counts ?? [])]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, rows)
    .map(([value, count]) => ({ value, count }));
}
