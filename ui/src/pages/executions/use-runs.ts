import { useInfiniteQuery, type InfiniteData, type UseInfiniteQueryResult } from '@tanstack/react-query';
import { ask } from '../../api/client.ts';
import { readSummary, type Summary } from '../../api/executions.ts';
import { useReading } from '../../api/queries.ts';
import type { Search } from '../../platform/search.ts';

const pageSize = 100;

/** How often the head of the list is read again, for "12 new" and for the statuses of rows that are shown. */
const headMillis = 4000;

interface Page {
  readonly runs: readonly Summary[];
  readonly cursor: string | undefined;
}

/** The rows of the list, and what became of them since. */
export interface Runs {
  readonly runs: readonly Summary[];
  readonly newCount: number;
  readonly isComplete: boolean;
  readonly query: UseInfiniteQueryResult<InfiniteData<Page>>;
  /** Reads the list anew from its head. */
  readonly showNew: () => void;
}

/** Whether a page has the newest run first. */
const isNewestFirst = (search: Search): boolean => search['order']?.[0] !== 'asc';

/**
 * Reads a list page by page, by cursor. Rows never move by themselves: a second reading of the head counts what is new and
 * brings the statuses of the rows that are there up to date in place.
 */
export function useRuns(filter: Search): Runs {
  const query = useInfiniteQuery<Page, Error, InfiniteData<Page>, readonly unknown[], string | undefined>({
    queryKey: ['runs', filter],
    initialPageParam: undefined,
    queryFn: async ({ pageParam, signal }) => {
      const parameters = { limit: pageSize, ...filter, ...(pageParam !== undefined && { cursor: pageParam }) };
      const { json, headers } = await ask('/workflows', { parameters, signal });
      const runs = Array.isArray(json) ? json.map(readSummary) : [];
      return { runs, cursor: headers.get('x-next-cursor') ?? undefined };
    },
    getNextPageParam: ({ cursor }) => cursor,
    // Going back shows the rows as they were.
    staleTime: 60_000,
    refetchOnMount: false,
  });
  const { data: head = [] } = useReading({
    path: '/workflows',
    parameters: { ...filter, limit: pageSize },
    read: (json) => (Array.isArray(json) ? json.map(readSummary) : []),
    everyMillis: headMillis,
    enabled: query.data !== undefined,
  });
  const known = query.data?.pages.flatMap(({ runs }) => runs) ?? [];
  const latest = new Map(head.map((run) => [run.id, run]));
  const runs = known.map((run) => latest.get(run.id) ?? run);
  const ids = new Set(known.map(({ id }) => id));
  const newest = known[0]?.startedAt ?? 0;
  const isNew = ({ id, startedAt = 0 }: Summary): boolean => !ids.has(id) && startedAt >= newest;
  return {
    runs,
    newCount: isNewestFirst(filter) && query.data !== undefined ? head.filter(isNew).length : 0,
    isComplete: query.data !== undefined && !query.hasNextPage,
    query,
    showNew: () => void query.refetch(),
  };
}
