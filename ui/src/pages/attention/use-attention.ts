import type { Json, JsonObject } from '../../../../src/core/value/json.ts';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { ask, ApiFailure } from '../../api/client.ts';
import { readSummary, type Summary } from '../../api/executions.ts';
import { flagAt, instantAt, listAt, numberAt, objectOf, textAt } from '../../api/reading.ts';
import { serverNow } from '../../platform/clock.ts';
import type { Parameters } from '../../platform/address.ts';
import { type Hold, readHold } from '../operations/holds.ts';

/** How often the page looks anew. */
const everyMillis = 10_000;
const hourMillis = 3_600_000;
/** A hold that is older is listed: somebody may have forgotten it. */
const oldHoldMillis = 12 * hourMillis;

/** What tells causes of failures apart. */
const causeKeys = ['name', 'version', 'failedNodeId', 'reason'];

/** Runs that are over, not CORRUPTED, and left an effect that may or may not have happened. */
export const standingFilter: Readonly<Record<string, readonly string[]>> = {
  standing: ['unknown'],
  status: ['FAILED', 'CANCELLED', 'TERMINATED'],
};

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

/** Runs that have something in common. */
export interface RunGroup {
  /** The fields that they share, by the name of the filter. */
  readonly keys: Readonly<Record<string, string>>;
  readonly count: number;
  /** The start of the newest, and its id. */
  readonly newest?: number | undefined;
  readonly sampleId?: string | undefined;
}

/** Groups of runs, the largest first. */
export interface Grouped {
  readonly total: number;
  readonly isExact: boolean;
  readonly groups: readonly RunGroup[];
}

/** Failures with one cause, and how many there were in the hour before. */
export interface Cause extends RunGroup {
  readonly before: number;
}

/** Everything that may need a person. A part that could not be read is undefined, and named in `unread`. */
export interface Attention {
  readonly asOf: number;
  readonly corrupted?:
    { readonly counts: Counts; readonly newest: Summary | undefined; readonly oldest: Summary | undefined } | undefined;
  readonly standing?: { readonly counts: Counts; readonly newest: Summary | undefined } | undefined;
  readonly stuck?: Grouped | undefined;
  /** By host. */
  readonly blocked?: Grouped | undefined;
  readonly failures?:
    | { readonly causes: readonly Cause[]; readonly count: number; readonly before: number; readonly isExact: boolean }
    | undefined;
  readonly hooks?: { readonly counts: Counts; readonly newest: Summary | undefined } | undefined;
  readonly holds?: readonly Hold[] | undefined;
  readonly unread: readonly string[];
}

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
  const group = async (parameters: Parameters): Promise<Grouped> =>
    readGrouped((await ask('/workflows/counts', { parameters, signal })).json);
  const [corrupted, standing, stuck, blocked, failures, hooks, holds] = await Promise.all([
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
    part('stuck runs', () => group({ stuck: 'true' })),
    part('blocked calls', () => group({ state: 'BLOCKED', by: 'host' })),
    part('failures', async () => {
      const [last, previous] = await Promise.all([
        group({ status: 'FAILED', completedAfter: hourAgo, by: causeKeys }),
        group({ status: 'FAILED', completedAfter: twoHoursAgo, completedBefore: hourAgo, by: causeKeys }),
      ]);
      const before = new Map(previous.groups.map(({ keys, count }) => [JSON.stringify(keys), count]));
      const causes = last.groups.map((cause): Cause => ({
        ...cause,
        before: before.get(JSON.stringify(cause.keys)) ?? 0,
      }));
      return { causes, count: last.total, before: previous.total, isExact: last.isExact };
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
  return { asOf: now, corrupted, standing, stuck, blocked, failures, hooks, holds, unread };
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

/** Reads counts in groups. */
function readGrouped(json: Json): Grouped {
  const value = objectOf(json);
  const all = listAt(value, 'groups').map(objectOf);
  const countOf = (group: JsonObject): number => numberAt(group, 'count') ?? 0;
  return {
    total: all.reduce((sum, group) => sum + countOf(group), 0),
    isExact: flagAt(value, 'exact'),
    groups: all
      .filter((group) => !flagAt(group, 'other'))
      .map((group): RunGroup => {
        const texts = Object.entries(group).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
        const keys = texts.filter(([name]) => name !== 'newest' && name !== 'sampleId');
        return {
          keys: Object.fromEntries(keys),
          count: countOf(group),
          newest: instantAt(group, 'newest'),
          sampleId: textAt(group, 'sampleId'),
        };
      }),
  };
}
