/**
 * Pages of an execution's step rows and call rows by ord; `after` is the ord of the row before the page in its order.
 */
import { copied, lengthOf, takePage } from '../../pages.ts';
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

/** Beyond every ord. */
const end = Number.MAX_SAFE_INTEGER;

function pageSql(columns: string, table: string, order: 'asc' | 'desc'): string {
  return `
SELECT ${columns} FROM execution e JOIN ${table} h ON h.execution = e.no
WHERE e.id = ? AND h.ord > ? AND h.ord < ?
ORDER BY h.ord ${order} LIMIT ? OFFSET ?`;
}

type Select<T> = (id: string, above: number, below: number, limit: number, offset: number) => Iterable<T>;

function pages<T>(session: Session, columns: string, table: string): { asc: Select<T>; desc: Select<T> } {
  return {
    asc: session.iterate<T>(pageSql(columns, table, 'asc')),
    desc: session.iterate<T>(pageSql(columns, table, 'desc')),
  };
}

type StepOfPage = StepText & { readonly ord: number };

const ownColumns = 'h.ord, h.row, h.undo';
/** The whole output only where nothing shorter stands for it. */
const allColumns = `${ownColumns}, h.shown, CASE WHEN h.shown IS NULL THEN h.output END AS output`;

/** Prepares the page of steps. */
export function listSteps(session: Session): Operations['listSteps'] {
  const select = pages<StepOfPage>(session, allColumns, 'step');
  const selectOwn = pages<StepOfPage>(session, ownColumns, 'step');
  return (id, page, after, { afterOrd = 0, withoutBodies = false }) => {
    const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
    const below = page.order === 'asc' ? end : (after ?? end);
    const { [page.order]: read } = withoutBodies ? selectOwn : select;
    const rows = read(id, above, below, page.limit + 1, page.offset);
    return copied(takePage(rows, page, ({ row, shown, output }) => lengthOf(row, shown, output)));
  };
}

/** Prepares the page of calls. */
export function listCalls(session: Session): Operations['listCalls'] {
  const select = pages<{ readonly row: string; readonly ord: number }>(session, 'h.ord, h.row', 'call');
  return (id, page, after) => {
    const above = page.order === 'asc' ? (after ?? 0) : 0;
    const below = page.order === 'asc' ? end : (after ?? end);
    const rows = select[page.order](id, above, below, page.limit + 1, page.offset);
    return copied(takePage(rows, page, ({ row }) => row.length));
  };
}
