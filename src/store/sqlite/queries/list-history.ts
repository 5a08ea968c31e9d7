/**
 * Pages of an execution's step rows and call rows by ord; `after` is the ord of the row before the page in its order.
 */
import type { StepText } from '../../stored-rows.ts';
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

type Select<T> = (id: string, above: number, below: number, limit: number, offset: number) => T[];

function pages<T>(session: Session, columns: string, table: string): { asc: Select<T>; desc: Select<T> } {
  return {
    asc: session.all<T>(pageSql(columns, table, 'asc')),
    desc: session.all<T>(pageSql(columns, table, 'desc')),
  };
}

/** Prepares the page of steps; `afterOrd` leaves out rows up to that ord, whatever the order. */
export function listSteps(session: Session): Operations['listSteps'] {
  const select = pages<StepText & { readonly ord: number }>(session, 'h.ord, h.row, h.undo', 'step');
  return (id, page, after, afterOrd = 0) => {
    const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
    const below = page.order === 'asc' ? end : (after ?? end);
    const rows = select[page.order](id, above, below, page.limit + 1, page.offset);
    return { rows: rows.slice(0, page.limit).map((row) => ({ ...row })), more: rows.length > page.limit };
  };
}

/** Prepares the page of calls. */
export function listCalls(session: Session): Operations['listCalls'] {
  const select = pages<{ readonly row: string; readonly ord: number }>(session, 'h.ord, h.row', 'call');
  return (id, page, after) => {
    const above = page.order === 'asc' ? (after ?? 0) : 0;
    const below = page.order === 'asc' ? end : (after ?? end);
    const rows = select[page.order](id, above, below, page.limit + 1, page.offset);
    return { rows: rows.slice(0, page.limit).map((row) => ({ ...row })), more: rows.length > page.limit };
  };
}
