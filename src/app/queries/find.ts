import { isAtHost } from '../../core/waits.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import type { ExecutionPageRequest, ListedExecution } from '../../ports/listing.ts';
import type { ExecutionFilter } from '../../ports/store.ts';
import type { Page } from '../../ports/records.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';

/** The filter of a list, a bulk request or a count. */
export interface FindFilter extends ExecutionFilter {
  /** Only executions that wait for this host or failed at it; in lower case, any port if none is given. */
  readonly host?: string;
}

/** Statuses in which an execution can wait for a host, or have failed at one. */
const statusesAtHosts: readonly ExecutionStatus[] = ['IN_PROGRESS', 'COMPENSATING', 'FAILED', 'CORRUPTED'];

/**
 * States read per page at most: some 100 ms of reading and parsing. A page with too few matches ends here with a
 * cursor.
 */
const maxLooks = 2_000;
/** Rows per read. */
const chunkRows = 200;

/**
 * A page of matching executions, newest first. Only states contain the host, so a host filter reads the store's list
 * row by row, within bounds. Throws BadCursor.
 */
export async function findExecutions(
  { store }: Pick<AppContext, 'store'>,
  filter: FindFilter,
  page: ExecutionPageRequest,
): Promise<Page<ListedExecution>> {
  const { host, ...rest } = filter;
  if (host === undefined) return store.listExecutions(rest, page);
  const wanted = { ...rest, statuses: rest.statuses ?? statusesAtHosts };
  const { offset = 0, ...paging } = page;
  const items: ListedExecution[] = [];
  let skipped = 0;
  let next: ExecutionPageRequest = paging;
  for (let looks = 0, rows = chunkRows; ;) {
    const read = await store.listExecutions(wanted, { ...next, limit: rows, withState: true });
    looks += read.items.length;
    const places = await placesAt(read.items, host);
    const fresh = places.slice(Math.max(0, offset - skipped));
    const room = page.limit - items.length;
    const last = fresh[room - 1];
    if (fresh.length > room && last !== undefined) {
      // A page's cursor is that of its last row, so this reads the rows up to the last match again.
      rows = last + 1;
      continue;
    }
    skipped += places.length - fresh.length;
    items.push(...fresh.flatMap((place) => read.items[place] ?? []));
    const { cursor } = read;
    if (cursor === undefined) return { items };
    if (items.length >= page.limit || looks >= maxLooks) return { items, cursor };
    next = { ...paging, cursor };
    rows = chunkRows;
  }
}

/** The indexes of the rows whose execution is at the host. */
async function placesAt(items: readonly ListedExecution[], host: string): Promise<readonly number[]> {
  const places: number[] = [];
  for (const [place, { state }] of items.entries()) {
    await turns.next();
    if (state !== undefined && isAtHost(state, host)) places.push(place);
  }
  return places;
}
