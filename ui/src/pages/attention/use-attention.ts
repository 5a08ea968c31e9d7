import type { Json } from '../../../../src/core/value/json.ts';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { ask, ApiFailure } from '../../api/client.ts';
import { readSummary, type Summary } from '../../api/executions.ts';
import { flagAt, listAt, numberAt, objectOf, textAt } from '../../api/reading.ts';
import { serverNow } from '../../platform/clock.ts';
import type { Parameters } from '../../platform/address.ts';
import { type Hold, readHold } from '../operations/holds.ts';

/** How often the page looks anew. */
const everyMillis = 10_000;
const hourMillis = 3_600_000;
/** A hold that is older is listed: somebody may have forgotten it. */
const oldHoldMillis = 12 * hourMillis;
const maxFailures = 200;

/** Counts of some runs, by what tells them apart. */
export interface Counts {
  readonly counted: number;
  readonly more: boolean;
  readonly names: readonly Count[];
  readonly nodes: readonly Count[];
  readonly hosts: readonly Count[];
  readonly waits: readonly Count[];
}

/** How often a word occurs. */
export interface Count {
  readonly value: string;
  readonly count: number;
}

/** Failures with one cause. */
export interface Cause {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly nodeId: string | undefined;
  readonly reason: string | undefined;
  readonly count: number;
  readonly newest: Summary;
}

/** Everything that may need a person. A part that could not be read is undefined, and named in `unread`. */
export interface Attention {
  readonly asOf: number;
  readonly corrupted?:
    { readonly counts: Counts; readonly newest: Summary | undefined; readonly oldest: Summary | undefined } | undefined;
  readonly standing?: { readonly counts: Counts; readonly newest: Summary | undefined } | undefined;
  readonly blocked?: { readonly counts: Counts; readonly runs: number } | undefined;
  readonly failures?:
    | { readonly causes: readonly Cause[]; readonly count: number; readonly before: number; readonly more: boolean }
    | undefined;
  readonly hooks?: { readonly counts: Counts; readonly newest: Summary | undefined } | undefined;
  readonly holds?: readonly Hold[] | undefined;
  readonly unread: readonly string[];
}

const open = ['IN_PROGRESS', 'COMPENSATING', 'WAITING_CALLBACK', 'SLEEPING'];

/** Reads the night page. */
export function useAttention(): UseQueryResult<Attention> {
  return useQuery({
    queryKey: ['attention'],
    refetchInterval: everyMillis,
    queryFn: ({ signal }) => readAttention(signal),
  });
}

async function readAttention(signal: AbortSignal): Promise<Attention> {
  const now = serverNow();
  const hourAgo = new Date(now - hourMillis).toISOString();
  const twoHoursAgo = new Date(now - 2 * hourMillis).toISOString();
  const unread: string[] = [];
  /** A part that this caller may not see, or that this server does not know, leaves the others alone. */
  const part = async <T>(name: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ApiFailure) || ![400, 403, 404].includes(error.status)) throw error;
      unread.push(name);
      return undefined;
    }
  };
  const counts = async (parameters: Parameters): Promise<Counts> =>
    readCounts((await ask('/workflows/top', { parameters, signal })).json);
  const runs = async (parameters: Parameters): Promise<readonly Summary[]> => {
    const { json } = await ask('/workflows', { parameters, signal });
    return Array.isArray(json) ? json.map(readSummary) : [];
  };
  const standingFilter = { standing: 'true', status: ['FAILED', 'CANCELLED'] };
  const [corrupted, standing, blocked, failures, hooks, holds] = await Promise.all([
    part('CORRUPTED runs', async () => {
      const filter = { status: 'CORRUPTED' };
      const [all, [newest], [oldest]] = await Promise.all([
        counts(filter),
        runs({ ...filter, limit: 1 }),
        runs({ ...filter, limit: 1, order: 'asc' }),
      ]);
      return { counts: all, newest, oldest };
    }),
    part('standing effects', async () => {
      const [all, [newest]] = await Promise.all([counts(standingFilter), runs({ ...standingFilter, limit: 1 })]);
      return { counts: all, newest };
    }),
    part('blocked calls', async () => {
      const all = await counts({ status: open });
      return { counts: all, runs: all.waits.find(({ value }) => value === 'BLOCKED')?.count ?? 0 };
    }),
    part('failures', async () => {
      const last = { status: 'FAILED', completedAfter: hourAgo };
      const [failed, all, before] = await Promise.all([
        runs({ ...last, limit: maxFailures }),
        counts(last),
        counts({ status: 'FAILED', completedAfter: twoHoursAgo, completedBefore: hourAgo }),
      ]);
      return {
        causes: causesOf(failed),
        count: all.counted,
        before: before.counted,
        more: all.counted > failed.length,
      };
    }),
    part('hooks', async () => {
      const [all, [newest]] = await Promise.all([counts({ hook: 'failed' }), runs({ hook: 'failed', limit: 1 })]);
      return { counts: all, newest };
    }),
    part('holds', async () => {
      const { json } = await ask('/holds', { signal });
      const all = Array.isArray(json) ? json.map(readHold) : [];
      return all.filter(({ createdAt = now }) => now - createdAt > oldHoldMillis);
    }),
  ]);
  return { asOf: now, corrupted, standing, blocked, failures, hooks, holds, unread };
}

function readCounts(json: Json): Counts {
  const value = objectOf(json);
  const list = (name: string): readonly Count[] =>
    listAt(value, name).map((each) => {
      const row = objectOf(each);
      return { value: textAt(row, 'value') ?? '', count: numberAt(row, 'count') ?? 0 };
    });
  return {
    counted: numberAt(value, 'counted') ?? 0,
    more: flagAt(value, 'more'),
    names: list('names'),
    nodes: list('nodes'),
    hosts: list('hosts'),
    waits: list('waits'),
  };
}

/** Failures by definition, node and reason, the most frequent first. */
function causesOf(failed: readonly Summary[]): readonly Cause[] {
  const groups = Map.groupBy(failed, ({ name, version, failedNodeId = '', reason = '' }) =>
    [name, version, failedNodeId, reason].join('\0'),
  );
  return [...groups]
    .flatMap(([key, runs]): readonly Cause[] => {
      const [newest] = runs;
      if (newest === undefined) return [];
      const { name, version, failedNodeId, reason } = newest;
      return [{ key, name, version, nodeId: failedNodeId, reason, count: runs.length, newest }];
    })
    .toSorted((a, b) => b.count - a.count);
}
