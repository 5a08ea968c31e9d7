import type { PageAnswer, PageValues } from '../../pages.ts';
import type { StepText, StoredCall } from '../../step-text.ts';
import type { Connections } from '../connection/connections.ts';
import { stepTextColumns, stepTextNames, storedStep } from '../columns/step-text-columns.ts';
import { decodeText } from '../columns/text-column.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

/** Exceeds every ord. */
const end = 2_147_483_647;

type Order = 'asc' | 'desc';

/** Selects the full output only if there is no `shown`. */
const stepsSql = (order: Order): string =>
  withinBytes(
    `
  SELECT ${stepTextNames}, CASE WHEN $7 THEN shown END AS shown, CASE WHEN $7 AND shown IS NULL THEN output END AS output
  FROM step WHERE execution = $1 AND ord > $2 AND ord < $3
  ORDER BY ord ${order} LIMIT $4 OFFSET $5`,
    {
      columns: `${stepTextColumns('sized')}, shown, output`,
      size: sizeOf('"row"', 'shown', 'output'),
      order: `ord ${order}`,
      bytes: '$6',
    },
  );

/**
 * Reads from both tables as many rows as offset and page can take; the call that a step records has the ord before the step's.
 * Outputs that lists of steps do not read are not read here either.
 */
const callsSql = (order: Order): string =>
  withinBytes(
    `
SELECT * FROM (
  (SELECT ord, "row", NULL::int AS call_id, NULL::int AS round, NULL::text AS node_id, NULL::int AS visit, NULL::text AS call,
    NULL::text AS output
    FROM call WHERE execution = $1 AND ord > $2 AND ord < $3
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
  UNION ALL
  (SELECT ord - 1, "row", call_id, round, node_id, visit, call, CASE WHEN shown IS NULL THEN output END
    FROM step WHERE execution = $1 AND ord > $2::bigint + 1 AND ord < $3::bigint + 1 AND call_id IS NOT NULL
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
) calls ORDER BY ord ${order} LIMIT $4 OFFSET $5`,
    {
      columns: 'ord, "row", call_id AS "callId", round, node_id AS "nodeId", visit, call, output',
      size: sizeOf('"row"', 'call', 'output'),
      order: `ord ${order}`,
      bytes: '$6',
    },
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
export async function listSteps(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
  {
    afterOrd = 0,
    withoutBodies = false,
  }: { readonly afterOrd: number | undefined; readonly withoutBodies: boolean | undefined },
): Promise<PageAnswer<StepText>> {
  const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
  const below = page.order === 'asc' ? end : (after ?? end);
  const answer = await read<StepText>(connections, 'step', id, { above, below }, page, !withoutBodies);
  return { ...answer, rows: answer.rows.map((row) => storedStep(row)) };
}

/** Lists a page of calls by ord, after the ord `after` in the page's order. */
export async function listCalls(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
): Promise<PageAnswer<StoredCall>> {
  const above = page.order === 'asc' ? (after ?? 0) : 0;
  const below = page.order === 'asc' ? end : (after ?? end);
  const answer = await read<StoredCall>(connections, 'call', id, { above, below }, page);
  const rows = answer.rows.map((row) => (row.nodeId === null ? row : { ...row, nodeId: decodeText(row.nodeId) }));
  return { ...answer, rows };
}
