import type { Json, JsonObject } from '../core/value/json.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { waitsOf } from '../core/waits.ts';
import type { WakeKind } from '../core/transition/wakes.ts';
import { StoreUnavailable } from '../ports/store.ts';
import { turns } from '../engine/turns.ts';
import type { Answer } from './answer.ts';
import { type Accepted, cancel, terminate, wake } from './control.ts';
import { findExecutions, type FindFilter } from './queries/find.ts';
import type { AppContext } from './context.ts';
import { redeliver, retry, undo } from './settle.ts';

/** A change that a bulk request can make. */
export type BulkAction = 'retry' | 'cancel' | 'terminate' | 'wake' | 'redeliver' | 'undo';

/** A bulk request. */
export interface BulkRequest {
  readonly action: BulkAction;
  readonly filter: FindFilter;
  /** The executions to change, at most `bulkLimits.ids`; the filter is then ignored. */
  readonly ids?: readonly string[];
  /** What a wake ends; absent: sleeps. */
  readonly what?: readonly WakeKind[];
  /** Reason for the audit log, and for the history of cancelled executions. */
  readonly reason?: string;
  /** Whether to report only what would change. */
  readonly dryRun: boolean;
  /** Largest number of executions, 1 to `bulkLimits.max`. */
  readonly max: number;
}

/** Bounds on `max`, and the number of ids that a request may name. */
export const bulkLimits: { readonly default: number; readonly max: number; readonly ids: number } = {
  default: 1_000,
  max: 10_000,
  ids: 200,
};

const pageSize = 200;
/** Concurrent changes. */
const atOnce = 8;
/** Time limit of a request, since the client waits for the answer. Another request can continue. */
const maxMillis = 45_000;
/**
 * The part of {@link maxMillis} for the selection: a filter with few matches reads for long, and the changes need time,
 * too.
 */
const selectMillis = 15_000;

/** Default statuses of the filter: those in which the action may be possible. */
const defaultStatuses: Readonly<Record<Exclude<BulkAction, 'redeliver'>, readonly ExecutionStatus[]>> = {
  retry: ['FAILED', 'CANCELLED', 'CORRUPTED'],
  cancel: ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING'],
  terminate: ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'],
  wake: ['SLEEPING'],
  undo: ['SUCCEEDED'],
};

/** Statuses of executions that wait for the next attempt of a call, or whose call is blocked. */
const callingStatuses: readonly ExecutionStatus[] = ['IN_PROGRESS', 'COMPENSATING'];

/** The statuses in which a change may be possible. */
function statusesFor({ action, what = ['sleep'] }: Pick<BulkRequest, 'action' | 'what'>): readonly ExecutionStatus[] {
  if (action === 'redeliver') return [];
  if (action !== 'wake' || (what.length === 1 && what[0] === 'sleep')) return defaultStatuses[action];
  return what.includes('sleep') ? [...defaultStatuses.wake, ...callingStatuses] : callingStatuses;
}

/** Adds the default of the action to the filter: failed hooks for a redelivery, else {@link statusesFor}. */
function completed(request: BulkRequest): FindFilter {
  const { action, filter } = request;
  if (action === 'redeliver') return { hook: 'failed', ...filter };
  // A child is undone with the execution that started it.
  if (action === 'undo' && filter.statuses === undefined) return { statuses: ['SUCCEEDED'], root: true, ...filter };
  return { statuses: statusesFor(request), ...filter };
}

type Change = (
  app: AppContext,
  id: string,
  reason: string | undefined,
  what: readonly WakeKind[] | undefined,
) => Promise<Answer<Accepted>>;

const changes: Readonly<Record<BulkAction, Change>> = {
  retry: (app, id) => retry(app, id, false),
  cancel,
  terminate: (app, id) => terminate(app, id),
  wake: (app, id, _reason, what) => wake(app, id, what === undefined ? {} : { what }),
  redeliver: (app, id) => redeliver(app, id, false),
  undo: (app, id, reason) => undo(app, id, reason ?? 'Undone.'),
};

const activeStatuses: readonly ExecutionStatus[] = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'];
/** Largest number of executions read to report what executions outside the action wait for. */
const maxOthers = 2_000;

/**
 * Makes the same change to many executions, each through the use case for a single one. A refusal is listed and stops
 * nothing. Number, time and concurrency are bounded to keep the load small.
 *
 * Returns `{ matched, done, ids, errors, more, others? }`: how many executions match (at most `max`), how many were
 * changed, their ids (in a dry run, the ids that match), the refusals, and whether more match or were left for lack of
 * time. `others` counts what matching executions wait for whose status rules the action out.
 *
 * @throws StoreUnavailable if nothing could be read; once changes were made, the answer reports how far they came.
 */
export async function bulk(app: AppContext, request: BulkRequest): Promise<JsonObject> {
  const begun = app.clock.monotonic();
  const end = begun + maxMillis;
  const { ids, more } = await select(app, request, begun + selectMillis);
  const others = await othersOf(app, request);
  if (request.dryRun) return { matched: ids.length, done: 0, ids, errors: [], more, ...others };
  const done: string[] = [];
  const errors: Json[] = [];
  let next = 0;
  let isAway = false;
  const work = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      if (isAway || app.clock.monotonic() > end) return;
      try {
        const answer = await changes[request.action](app, id, request.reason, request.what);
        if (answer.ok) done.push(id);
        else errors.push({ id, code: answer.code, errors: answer.errors });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        isAway = true;
        errors.push({
          id,
          code: 'store_unavailable',
          errors: ['The store cannot answer now; the remaining executions were left unchanged.'],
        });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const left = ids.length > done.length + errors.length;
  return { matched: ids.length, done: done.length, ids: done, errors, more: more || left, ...others };
}

/** Selects the ids before any change, since changes move executions between pages. */
async function select(
  app: AppContext,
  request: BulkRequest,
  end: number,
): Promise<{ readonly ids: readonly string[]; readonly more: boolean }> {
  const { ids: named, max } = request;
  if (named !== undefined) return { ids: named, more: false };
  const wanted = completed(request);
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(pageSize, max - ids.length);
    const page = await findExecutions(app, wanted, {
      limit,
      ...(cursor === undefined ? undefined : { cursor }),
    });
    for (const { id } of page.items) ids.push(id);
    cursor = page.cursor;
  } while (cursor !== undefined && ids.length < max && app.clock.monotonic() < end);
  return { ids, more: cursor !== undefined };
}

/**
 * What matching executions wait for that are not over and whose status rules the action out, as `{ state, count }`.
 * Explains an answer in which nothing was done. Absent if the filter names statuses, or there are none.
 */
async function othersOf(app: AppContext, request: BulkRequest): Promise<JsonObject> {
  const { action, filter, ids } = request;
  // Only an execution that is over has a hook to redeliver.
  if (action === 'redeliver') return {};
  const statuses = activeStatuses.filter((status) => !statusesFor(request).includes(status));
  if (ids !== undefined || filter.statuses !== undefined || statuses.length === 0) return {};
  const counts = new Map<string, number>();
  let cursor: string | undefined;
  // One page with a host filter already reads that many.
  for (let pages = filter.host === undefined ? maxOthers / pageSize : 1; pages > 0; pages--) {
    const page = { limit: pageSize, withState: true, ...(cursor === undefined ? undefined : { cursor }) };
    const found = await findExecutions(app, { ...filter, statuses }, page);
    for (const { state } of found.items) {
      await turns.next();
      const waits = state === undefined ? [] : waitsOf(state);
      for (const wait of new Set(waits.map((each) => each.state))) counts.set(wait, (counts.get(wait) ?? 0) + 1);
    }
    ({ cursor } = found);
    if (cursor === undefined) break;
  }
  if (counts.size === 0) return {};
  const others = [...counts].sort(([, m], [, n]) => n - m).map(([state, count]) => ({ state, count }));
  return { others };
}
