import type { Json, JsonObject } from '../../core/value/json.ts';
import { hostsOf } from '../../core/waits.ts';
import { needsPlan, urgentPlace } from '../../core/view/place.ts';
import type { ListedExecution } from '../../ports/listing.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';
import { instant } from '../instants.ts';
import { callStatusesOf, findExecutions, type FindFilter } from '../queries/find.ts';

/** What counts may be grouped by. */
export const countKeys = [
  'status',
  'name',
  'version',
  'reason',
  'failedNodeId',
  'host',
  'callStatus',
  'state',
] as const;

/** See {@link countKeys}. */
export type CountKey = (typeof countKeys)[number];

/** Largest number of keys of one count. */
export const maxCountKeys = 4;

/** Executions that one count looks at, and the time that it takes at most. */
const maxScanned = 100_000;
const maxMillis = 300;
/** Rows per read. */
const chunkRows = 500;
/** Groups in an answer; the others are one group. */
const maxGroups = 200;
/** Groups kept while counting: beyond these, new ones are counted together. */
const maxKept = 10_000;

interface Group {
  readonly keys: JsonObject;
  count: number;
  readonly newest: number;
  readonly sampleId: string;
}

/**
 * Counts the executions that match by some of their fields, the newest first, within bounds.
 *
 * Returns `{ exact, scanned, since?, asOf, groups }`: `exact` if all that match were counted; otherwise `since` is the start of the oldest
 * one that was looked at. A group has the keys that its executions have, `count`, and the newest of them.
 */
export async function countExecutions(
  app: AppContext,
  filter: FindFilter,
  by: readonly CountKey[],
): Promise<JsonObject> {
  const end = app.clock.monotonic() + maxMillis;
  const groups = new Map<string, Group>();
  const withState = by.some((key) => key === 'host' || key === 'callStatus' || key === 'state');
  let scanned = 0;
  let other = 0;
  let since: number | undefined;
  let cursor: string | undefined;
  do {
    const page = { limit: chunkRows, withState, ...(cursor === undefined ? undefined : { cursor }) };
    const found = await findExecutions(app, filter, page);
    for (const item of found.items) {
      await turns.next();
      since = item.startedAt;
      const keys = await keysOf(app, item, by);
      const name = JSON.stringify(keys);
      const group = groups.get(name);
      if (group !== undefined) group.count++;
      else if (groups.size < maxKept) {
        groups.set(name, { keys, count: 1, newest: item.startedAt, sampleId: item.id });
      } else other++;
    }
    scanned += found.scanned ?? found.items.length;
    ({ cursor } = found);
  } while (cursor !== undefined && scanned < maxScanned && app.clock.monotonic() < end);
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count || b.newest - a.newest);
  const rest = sorted.slice(maxGroups).reduce((sum, { count }) => sum + count, other);
  const document = {
    exact: cursor === undefined,
    scanned,
    ...(cursor !== undefined && since !== undefined && { since: instant(since) }),
    asOf: instant(app.clock.now()),
    groups: [
      ...sorted
        .slice(0, maxGroups)
        .map(({ keys, count, newest, sampleId }): Json => ({ ...keys, count, newest: instant(newest), sampleId })),
      ...(rest > 0 ? [{ other: true, count: rest }] : []),
    ],
  };
  return app.masker.json(document) as JsonObject;
}

/** The values of an execution for the keys that it has. */
async function keysOf(app: AppContext, item: ListedExecution, by: readonly CountKey[]): Promise<JsonObject> {
  const { state } = item;
  const needsPlace = state !== undefined && state.end === undefined && (by.includes('host') || by.includes('state'));
  const plan = needsPlace && needsPlan(state) ? await app.plans.load(item.definitionHash) : undefined;
  const place = needsPlace ? urgentPlace(state, plan) : undefined;
  const keys: Record<string, Json> = {};
  for (const key of by) {
    const value = valueOf(item, key, place);
    if (value !== undefined) keys[key] = value;
  }
  return keys;
}

function valueOf(
  item: ListedExecution,
  key: CountKey,
  place: ReturnType<typeof urgentPlace>,
): string | number | undefined {
  const { state } = item;
  switch (key) {
    case 'host':
      // Of an execution that is over: that of the call that decided.
      return state === undefined ? undefined : state.end === undefined ? place?.host : hostsOf(state)[0];
    case 'callStatus':
      return callStatusesOf(item)[0];
    case 'state':
      return place?.state;
    default:
      return item[key];
  }
}
