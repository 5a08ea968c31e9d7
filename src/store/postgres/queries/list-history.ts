/** Pages of an execution's step rows and call rows by ord; `after` is the ord of the row before the page in its order. */
import type { PageAnswer, PageValues } from '../../pages.ts';
import type { StepText } from '../../stored-rows.ts';
import type { Connections } from '../connections.ts';
import type { StoredCall } from '../folded-calls.ts';

/** Beyond every ord. */
const end = 2_147_483_647;

type Order = 'asc' | 'desc';

const stepsSql = (order: Order): string => `
SELECT ord, "row", undo FROM step WHERE execution = $1 AND ord > $2 AND ord < $3
ORDER BY ord ${order} LIMIT $4 OFFSET $5`;

/** Of both tables as many as the page and what comes before it may take; a step's call has the ord before the step's. */
const callsSql = (order: Order): string => `
SELECT * FROM (
  (SELECT ord, "row", NULL AS folded FROM call WHERE execution = $1 AND ord > $2 AND ord < $3
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
  UNION ALL
  (SELECT ord - 1, "row", call FROM step
    WHERE execution = $1 AND ord > $2::bigint + 1 AND ord < $3::bigint + 1 AND call IS NOT NULL
    ORDER BY ord ${order} LIMIT $4::bigint + $5::bigint)
) calls ORDER BY ord ${order} LIMIT $4 OFFSET $5`;

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
): Promise<PageAnswer<T>> {
  const rows = await connections.query<T>('long', {
    name: `list-${kind}-${page.order}`,
    text: kind === 'step' ? stepsSql(page.order) : callsSql(page.order),
    values: [id, above, below, page.limit + 1, page.offset],
  });
  return { rows: rows.slice(0, page.limit), more: rows.length > page.limit };
}

/** A page of steps; `afterOrd` leaves out rows up to that ord, whatever the order. */
export function listSteps(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
  afterOrd = 0,
): Promise<PageAnswer<StepText & { readonly ord: number }>> {
  const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
  const below = page.order === 'asc' ? end : (after ?? end);
  return read(connections, 'step', id, { above, below }, page);
}

/** A page of calls. */
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
