import { isAtHost, isSameHost } from '../../core/waits.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { needsPlan, type Place, urgentPlace } from '../../core/view/place.ts';
import { isStuck } from '../../core/view/stuck.ts';
import type { ExecutionPageRequest, ListedExecution } from '../../ports/listing.ts';
import type { ExecutionFilter } from '../../ports/store.ts';
import type { Page } from '../../ports/records.ts';
import { readHolds } from '../../engine/call/gate/call-holds.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';

/** What only the states of executions tell. */
interface StateFilter {
  /** Only executions whose place waits for this host, or that failed at it; in lower case, any port if none is given. */
  readonly host?: string;
  /** Only executions whose place is in one of these states. */
  readonly states?: readonly Place['state'][];
  /** Only executions whose place is this node. */
  readonly nodeId?: string;
  /** Only executions whose place waits for this hold. */
  readonly hold?: string;
  /** Only executions that are due or run without a checkpoint for too long. */
  readonly stuck?: true;
  /** Only executions that a call with such a status code made end so; `[400, 499]` for a class. */
  readonly callStatuses?: readonly (readonly [from: number, to: number])[];
}

/** The filter of a list, a bulk request or a count. */
export interface FindFilter extends ExecutionFilter, StateFilter {}

/** A page, and how many executions were looked at for it where states decide. */
export interface Found extends Page<ListedExecution> {
  readonly scanned?: number;
}

const active: readonly ExecutionStatus[] = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'];
/** Statuses in which an execution can wait for a host, or have failed at one. */
const statusesAtHosts: readonly ExecutionStatus[] = ['IN_PROGRESS', 'COMPENSATING', 'FAILED', 'CORRUPTED'];

/** States read per page at most, and the time after which a page with too few matches ends with a cursor. */
const maxLooks = 50_000;
const maxMillis = 500;
/** Rows per read. */
const chunkRows = 200;

/** Statuses in which an execution can match; undefined if its state need not be read. */
function statusesFor({
  host,
  states,
  nodeId,
  hold,
  stuck,
  callStatuses,
}: StateFilter): readonly ExecutionStatus[] | undefined {
  if (callStatuses !== undefined) return ['FAILED', 'CORRUPTED'];
  if (states !== undefined || nodeId !== undefined || hold !== undefined || stuck !== undefined) return active;
  return host === undefined ? undefined : statusesAtHosts;
}

/**
 * A page of matching executions, newest first. What only states contain is looked for in the store's list row by row,
 * within bounds. Throws BadCursor.
 */
export async function findExecutions(
  app: Pick<AppContext, 'store' | 'plans' | 'clock' | 'callTimes'>,
  filter: FindFilter,
  page: ExecutionPageRequest,
): Promise<Found> {
  const { hold, host: _h, states: _s, nodeId: _n, stuck: _k, callStatuses: _c, ...rest } = filter;
  const statuses = statusesFor(filter);
  const { store, clock } = app;
  if (statuses === undefined) return store.listExecutions(rest, page);
  if (hold !== undefined && !(await readHolds(store, clock.now())).some(({ id }) => id === hold)) return { items: [] };
  const wanted = { ...rest, statuses: rest.statuses ?? statuses };
  const { offset = 0, ...paging } = page;
  const items: ListedExecution[] = [];
  const end = clock.monotonic() + maxMillis;
  let skipped = 0;
  let next: ExecutionPageRequest = paging;
  for (let looks = 0, rows = chunkRows; ;) {
    const read = await store.listExecutions(wanted, { ...next, limit: rows, withState: true });
    looks += read.items.length;
    const places = await placesOf(app, read.items, filter);
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
    if (cursor === undefined) return { items, scanned: looks };
    if (items.length >= page.limit || looks >= maxLooks || clock.monotonic() > end) {
      return { items, cursor, scanned: looks };
    }
    next = { ...paging, cursor };
    rows = chunkRows;
  }
}

type Judging = Pick<AppContext, 'plans' | 'clock' | 'callTimes'>;

/** The indexes of the rows whose state matches. */
async function placesOf(
  app: Judging,
  items: readonly ListedExecution[],
  filter: StateFilter,
): Promise<readonly number[]> {
  const places: number[] = [];
  for (const [place, item] of items.entries()) {
    await turns.next();
    if (await isWanted(app, item, filter)) places.push(place);
  }
  return places;
}

async function isWanted(app: Judging, item: ListedExecution, filter: StateFilter): Promise<boolean> {
  const { state, definitionHash, updatedAt } = item;
  if (state === undefined) return false;
  const { host, callStatuses, stuck } = filter;
  if (callStatuses !== undefined && !callStatusesOf(item).some((code) => isWithin(code, callStatuses))) return false;
  if (state.end !== undefined) return isPlaceless(filter) && (host === undefined || isAtHost(state, host));
  const plan = stuck === true || needsPlan(state) ? await app.plans.load(definitionHash) : undefined;
  if (stuck === true && !isStuck(state, plan, updatedAt, app.clock.now(), app.callTimes)) return false;
  return isAtPlace(urgentPlace(state, plan), filter);
}

/** Whether a filter asks for nothing that an execution has before its end alone. */
function isPlaceless({ states, nodeId, hold, stuck }: StateFilter): boolean {
  return states === undefined && nodeId === undefined && hold === undefined && stuck === undefined;
}

function isAtPlace(place: Place | undefined, { host, states, nodeId, hold }: StateFilter): boolean {
  return (
    (states === undefined || (place !== undefined && states.includes(place.state))) &&
    (nodeId === undefined || place?.nodeId === nodeId) &&
    (hold === undefined || place?.holdId === hold) &&
    (host === undefined || (place?.host !== undefined && isSameHost(place.host, host)))
  );
}

/** The status codes of the calls that decided how an execution ended: of CORRUPTED ones those of failed compensations. */
export function callStatusesOf({ status, state }: ListedExecution): readonly number[] {
  const codes =
    status === 'CORRUPTED'
      ? (state?.failedCompensations ?? []).map(({ statusCode }) => statusCode)
      : status === 'FAILED'
        ? [state?.verdict?.statusCode]
        : [];
  return [...new Set(codes.filter((code) => code !== undefined))];
}

function isWithin(code: number, ranges: NonNullable<StateFilter['callStatuses']>): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to);
}
