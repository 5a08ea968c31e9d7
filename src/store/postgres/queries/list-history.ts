/** Pages of an execution's step rows and call rows by ord; `after` is the ord of the row before the page in its order. */
import type { PageAnswer, PageValues } from '../../pages.ts';
import type { StepText } from '../../stored-rows.ts';
import type { Connections } from '../connections.ts';

/** Beyond every ord. */
const end = 2_147_483_647;

function sql(columns: string, table: 'step' | 'call', order: 'asc' | 'desc'): string {
  return `
SELECT ${columns} FROM ${table} WHERE execution = $1 AND ord > $2 AND ord < $3 ORDER BY ord ${order} LIMIT $4 OFFSET $5`;
}

interface Range {
  readonly above: number;
  readonly below: number;
}

async function read<T>(
  connections: Connections,
  [columns, table]: readonly [string, 'step' | 'call'],
  id: string,
  { above, below }: Range,
  page: PageValues,
): Promise<PageAnswer<T>> {
  const rows = await connections.query<T>('long', {
    name: `list-${table}-${page.order}`,
    text: sql(columns, table, page.order),
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
  return read(connections, ['ord, "row", undo', 'step'], id, { above, below }, page);
}

/** A page of calls. */
export function listCalls(
  connections: Connections,
  id: string,
  page: PageValues,
  after: number | undefined,
): Promise<PageAnswer<{ readonly row: string; readonly ord: number }>> {
  const above = page.order === 'asc' ? (after ?? 0) : 0;
  const below = page.order === 'asc' ? end : (after ?? end);
  return read(connections, ['ord, "row"', 'call'], id, { above, below }, page);
}
