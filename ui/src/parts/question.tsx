import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { failureOf } from '../api/queries.ts';
import { Failure, Loading } from './failure.tsx';

/** Shows what was read; before that that it is being read, or why it cannot be. */
export function Answered<T>({
  of,
  what,
  children,
}: {
  readonly of: UseQueryResult<T>;
  readonly what?: string;
  readonly children: (data: T) => ReactNode;
}): ReactNode {
  if (of.data !== undefined) return children(of.data);
  const failure = failureOf(of);
  return failure === null || failure === undefined ? (
    <Loading {...(what !== undefined && { what })} />
  ) : (
    <Failure error={failure} />
  );
}
