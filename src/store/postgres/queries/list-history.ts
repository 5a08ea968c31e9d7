import type { PageAnswer, PageValues } from '../../pages.ts';
import type { StepText } from '../../step-text.ts';
import type { Connections } from '../connection/connections.ts';
import type { StoredCall } from '../columns/folded-calls.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

/** Exceeds every ord. */
const end = 2_147_483_647;

type Order = 'asc' | 'desc';

/** Selects the full output only if there is no `shown`. */
const stepsSql = (order: Order): string =>
  withinBytes(
    `
  SELECT ord, "row", undo, CASE WHEN $7 THEN shown END AS shown, CASE WHEN $7 AND shown IS NULL THEN output END AS output
  FROM step WHERE execution = $1 AND ord > $2 AND ord < $3
  ORDER BY ord ${order} LIMIT $4 OFFSET $5`,
    {
      columns: 'ord, "row", undo, shown, output',
      size: sizeOf('"row"', 'shown', 'output'),
      order: `ord ${order}`,
      bytes: '$6',
    },
  );

/** Reads from both tables as many rows as offset and page can take; a step's folded call has the ord before the step's. */
const callsSql = (order: Order): string =>
  withinBytes(
    `
SELECT * FROM (
  (SELECT ord, "row", NULL AS folded FROM call WHERE execution = $1 AND ord > $2 AND ord < $3
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
  UNION ALL
  (SELECT ord - 1, "row", call FROM step
    WHERE execution = $1 AND ord > $2::bigint + 1 AND ord < $3::bigint + 1 AND call IS NOT NULL
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
) calls ORDER BY ord ${order} LIMIT $4 OFFSET $5`,
    { columns: 'ord, "row", folded', size: sizeOf('"row"', 'folded'), order: `ord ${order}`, bytes: '$6' },
  );

interface Range {
  readonly above: number;
  readonly below: number;
}

async function read<T>(
  connections: Connections,
  kind: 'step' | 'call',
  id: string,
  { above, below }: Range,
  page: PageValues,
  ...more: readonly boolean[]
): Promise<PageAnswer<T>> {
  const rows = await connections.query<T & { readonly found: number }>('long', {
    name: `list-${kind}-${page.order}`,
    text: kind === 'step' ? stepsSql(page.order) : callsSql(page.order),
    values: [id, above, below, page.limit + 1, page.offset, page.bytes, ...more],
  });
  return pageWithin(rows, page.limit);
}

/** Lists a page of steps by ord, after the ord `after` in the page's order. */
export function listSteps(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
  {
    afterOrd = 0,
    withoutBodies = false,
  }: { readonly afterOrd: number | undefined; readonly withoutBodies: boolean | undefined },
): Promise<PageAnswer<StepText & { readonly ord: number }>> {
  const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
  const below = page.order === 'asc' ? end : (after ?? end);
  return read(connections, 'step', id, { above, below }, page, !withoutBodies);
}

/** Lists a page of calls by ord, after the ord `after` in the page's order. */
export function listCalls(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
): Promise<PageAnswer<StoredCall>> {
  const above = page.order === 'asc' ? (after ?? 0) : 0;
  const below = page.order === 'asc' ? end : (after ?? end);
  return read(connections, 'call', id, { above, below }, page);
}
