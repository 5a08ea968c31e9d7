import { useQuery } from '@tanstack/react-query';
import { parseJson } from '../../../src/core/value/json.ts';
import { listAt, objectOf } from '../api/reading.ts';
import { apiAddress } from '../platform/address.ts';

const everyMillis = 10_000;

/** Why the server is not ready; empty if it is. The route answers 503 with its reasons, which is no lost connection. */
export function useReadiness(): readonly string[] {
  const { data } = useQuery({
    queryKey: ['/readyz'],
    refetchInterval: everyMillis,
    retry: false,
    queryFn: async ({ signal }): Promise<readonly string[]> => {
      const response = await fetch(apiAddress('/readyz'), { signal });
      const text = await response.text();
      if (response.status !== 503) return [];
      return listAt(objectOf(parseJson(text)), 'reasons').filter((each): each is string => typeof each === 'string');
    },
  });
  return data ?? [];
}
