/**
 * The same change of many executions, one after the other through the same services as for one: what one of them refuses
 * is listed, and stops nothing. Bounded in number and time, a few at a time, so that it is no load that anybody notices.
 */
import type { Json, JsonObject } from '../../core/json.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { type ExecutionFilter, StoreUnavailable } from '../../ports/store.ts';
import type { Answer } from './answer.ts';
import { type Accepted, cancel, terminate, wake } from './control.ts';
import type { DeskParts } from './parts.ts';
import { redeliver, retry } from './settle.ts';

/** What can be done to many at once. */
export type BulkAction = 'retry' | 'cancel' | 'terminate' | 'wake' | 'redeliver';

/** A bulk request. */
export interface BulkRequest {
  readonly action: BulkAction;
  readonly filter: ExecutionFilter;
  /** Only say what would be changed. */
  readonly dryRun: boolean;
  /** Executions at most, 1 to {@link bulkLimits}. */
  readonly max: number;
}

/** Bounds of `max`. */
export const bulkLimits: { readonly default: number; readonly max: number } = { default: 1_000, max: 10_000 };

const pageSize = 200;
/** Changes under way at once. */
const atOnce = 8;
/** Whoever asks waits for the answer: what is not done by then is left for another request. */
const maxMillis = 45_000;

/** Where the filter names no status: those in which the action can be possible. */
const defaultStatuses: Readonly<Record<Exclude<BulkAction, 'redeliver'>, readonly ExecutionStatus[]>> = {
  retry: ['FAILED', 'CANCELLED', 'CORRUPTED'],
  cancel: ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING'],
  terminate: ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'],
  wake: ['SLEEPING'],
};

/** The filter with what it does not name: for a redelivery the hooks that were given up, else {@link defaultStatuses}. */
function completed(action: BulkAction, filter: ExecutionFilter): ExecutionFilter {
  if (action === 'redeliver') return { hook: 'failed', ...filter };
  return { statuses: defaultStatuses[action], ...filter };
}

const changes: Readonly<Record<BulkAction, (parts: DeskParts, id: string) => Promise<Answer<Accepted>>>> = {
  retry: (parts, id) => retry(parts, id, false),
  cancel: (parts, id) => cancel(parts, id, undefined),
  terminate,
  wake,
  redeliver: (parts, id) => redeliver(parts, id, false),
};

/**
 * `{ matched, done, ids, errors, more }`: how many match (at most `max`), how many were changed, their ids (of a dry run:
 * those that match), what was refused, and whether others match, or were left for want of time.
 *
 * @throws StoreUnavailable when nothing could be read; once changes were made the answer says how far it came.
 */
export async function bulk(parts: DeskParts, request: BulkRequest): Promise<JsonObject> {
  const { ids, more } = await select(parts, request);
  if (request.dryRun) return { matched: ids.length, done: 0, ids, errors: [], more };
  const end = parts.clock.monotonic() + maxMillis;
  const done: string[] = [];
  const errors: Json[] = [];
  let next = 0;
  let isAway = false;
  const work = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      if (isAway || parts.clock.monotonic() > end) return;
      try {
        const answer = await changes[request.action](parts, id);
        if (answer.ok) done.push(id);
        else errors.push({ id, code: answer.code, errors: answer.errors });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        isAway = true;
        errors.push({ id, code: 'store_unavailable', errors: ['The store cannot answer now; the rest was left.'] });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const left = ids.length > done.length + errors.length;
  return { matched: ids.length, done: done.length, ids: done, errors, more: more || left };
}

/** The ids are chosen before anything is changed: changes move executions from one page to another. */
async function select(
  parts: DeskParts,
  { action, filter, max }: BulkRequest,
): Promise<{ readonly ids: readonly string[]; readonly more: boolean }> {
  const wanted = completed(action, filter);
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(pageSize, max - ids.length);
    const page = await parts.store.listExecutions(wanted, {
      limit,
      ...(cursor === undefined ? undefined : { cursor }),
    });
    for (const { id } of page.items) ids.push(id);
    cursor = page.cursor;
  } while (cursor !== undefined && ids.length < max);
  return { ids, more: cursor !== undefined };
}
