/**
 * Finding executions by what only their states tell, such as the host that they wait for: the store's lists, looked through row by
 * row within bounds.
 */
import { isAtHost } from '../../core/waits.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import type { ExecutionPageRequest, ListedExecution } from '../../ports/listing.ts';
import type { ExecutionFilter, Page } from '../../ports/store.ts';
import { turns } from '../turns.ts';
import type { DeskParts } from './parts.ts';

/** The filter of a list, a bulk request or a count. */
export interface FindFilter extends ExecutionFilter {
  /** Only executions that wait for this host, or failed at it; in lower case, on any port if none is given. */
  readonly host?: string;
}

/** Statuses in which an execution can wait for a host, or have failed at one. */
const statusesAtHosts: readonly ExecutionStatus[] = ['IN_PROGRESS', 'COMPENSATING', 'FAILED', 'CORRUPTED'];

/**
 * States that one page of such a list looks at: some 100 ms of reading and parsing. Where fewer match than are asked for, the page
 * ends here, with a cursor.
 */
const maxLooks = 2_000;
/** Rows of one read. */
const chunkRows = 200;

/** A page of those that match, newest first. Throws BadCursor. */
export async function findExecutions(
  { store }: Pick<DeskParts, 'store'>,
  filter: FindFilter,
  page: ExecutionPageRequest,
): Promise<Page<ListedExecution>> {
  const { host, ...rest } = filter;
  if (host === undefined) return store.listExecutions(rest, page);
  const wanted = { ...rest, statuses: rest.statuses ?? statusesAtHosts };
  const items: ListedExecution[] = [];
  let next: ExecutionPageRequest = page;
  for (let looks = 0; ;) {
    // No more than there is room for: the cursor is that of the last row that was read.
    const limit = Math.min(page.limit - items.length, chunkRows);
    const read = await store.listExecutions(wanted, { ...next, limit, withState: true });
    looks += read.items.length;
    for (const item of read.items) {
      await turns.next();
      if (item.state !== undefined && isAtHost(item.state, host)) items.push(item);
    }
    const { cursor } = read;
    if (cursor === undefined) return { items };
    if (items.length >= page.limit || looks >= maxLooks) return { items, cursor };
    const { offset: _skipped, ...paging } = next;
    next = { ...paging, cursor };
  }
}
