import { QueryClient, type UseQueryOptions, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Json } from '../../../src/core/value/json.ts';
import type { Parameters } from '../platform/address.ts';
import { type Answer, ApiFailure, ask } from './client.ts';

const firstRetryMillis = 1000;
const maxRetryMillis = 30_000;

/** Whether waiting may help: no answer, a server that is not ready, or too many requests. */
function isPassing(error: unknown): boolean {
  return error instanceof ApiFailure && [0, 429, 502, 503, 504].includes(error.status) && error.code !== 'no_json';
}

/** Keeps the last data of every panel while the server is away, and asks again, at first after a second. */
export const queryClient: QueryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      staleTime: 1000,
      retry: (_count, error) => isPassing(error),
      retryDelay: (count, error) => {
        const asked = error instanceof ApiFailure ? (error.retryAfterMillis ?? 0) : 0;
        return Math.min(maxRetryMillis, Math.max(asked, firstRetryMillis * 2 ** Math.min(count, 5)));
      },
    },
    mutations: { networkMode: 'always', retry: false },
  },
});

/** What a hook reads, and how often. */
export interface Reading<T> {
  readonly path: string;
  readonly parameters?: Parameters;
  readonly read: (json: Json, answer: Answer) => T;
  /** Milliseconds between two readings while the tab is visible; absent: read once. */
  readonly everyMillis?: number | ((data: T | undefined) => number | false) | undefined;
  readonly enabled?: boolean;
}

/**
 * Reads a route of the API, and again from time to time. The last data stay while a later reading fails. All readers of one
 * route with the same parameters share what was read, so they must read it alike.
 */
export function useReading<T>({
  path,
  parameters = {},
  read,
  everyMillis,
  enabled = true,
}: Reading<T>): UseQueryResult<T> {
  const options: UseQueryOptions<T> = {
    queryKey: [path, parameters],
    enabled,
    queryFn: ({ client, queryKey, signal }) => readRevision({ client, queryKey, path, parameters, read, signal }),
    refetchInterval:
      typeof everyMillis === 'function' ? (query) => everyMillis(query.state.data) : (everyMillis ?? false),
  };
  return useQuery(options);
}

/** ETags of what was read last, by the key of its query. Answers are not stored by browsers, so the page keeps the tag. */
const tags = new Map<string, string>();
const maxTags = 500;

/** Asks with the tag of what was read last; an answer 304 is what is there already. */
async function readRevision<T>({
  client,
  queryKey,
  path,
  parameters,
  read,
  signal,
}: {
  readonly client: QueryClient;
  readonly queryKey: readonly unknown[];
  readonly path: string;
  readonly parameters: Parameters;
  readonly read: Reading<T>['read'];
  readonly signal: AbortSignal;
}): Promise<T> {
  const name = JSON.stringify(queryKey);
  const known = client.getQueryData<T>(queryKey);
  const tag = known === undefined ? undefined : tags.get(name);
  const headers = tag === undefined ? undefined : { 'if-none-match': tag };
  const answer = await ask(path, { parameters, signal, ...(headers !== undefined && { headers }) });
  if (answer.status === 304 && known !== undefined) return known;
  const next = answer.headers.get('etag');
  if (tags.size >= maxTags) tags.clear();
  if (next === null) tags.delete(name);
  else tags.set(name, next);
  return read(answer.json, answer);
}

/** The failure that a panel shows: the last one, also between two attempts, while there are no data. */
export function failureOf(result: UseQueryResult): unknown {
  return result.data === undefined ? (result.error ?? result.failureReason) : null;
}
