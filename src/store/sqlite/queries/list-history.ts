/**
 * Pages of an execution's step rows and call rows by ord; `after` is the ord of the row before the page in its order.
 */
import { copied, lengthOf, takePage } from '../../pages.ts';
import type { StepText, StoredCall } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { stepTextColumns } from './step-text-columns.ts';

/** Beyond every ord. */
const end = Number.MAX_SAFE_INTEGER - 1;

type Select<T> = (id: string, above: number, below: number, limit: number, offset: number) => Iterable<T>;

function pages<T>(session: Session, sql: (order: 'asc' | 'desc') => string): { asc: Select<T>; desc: Select<T> } {
  return { asc: session.iterate<T>(sql('asc')), desc: session.iterate<T>(sql('desc')) };
}

/** The whole output only where nothing shorter stands for it. */
const listedOutput = 'CASE WHEN s.shown IS NULL THEN s.output END AS output';

function stepsSql(columns: string, order: 'asc' | 'desc'): string {
  return `
SELECT ${columns} FROM execution e JOIN step s ON s.execution = e.no
WHERE e.id = ? AND s.ord > ? AND s.ord < ?
ORDER BY s.ord ${order} LIMIT ? OFFSET ?`;
}

/** Prepares the page of steps. */
export function listSteps(session: Session): Operations['listSteps'] {
  const select = pages<StepText>(session, (order) => stepsSql(`${stepTextColumns}, s.shown, ${listedOutput}`, order));
  const selectOwn = pages<StepText>(session, (order) => stepsSql(stepTextColumns, order));
  return (id, page, after, { afterOrd = 0, withoutBodies = false }) => {
    const above = page.order === 'asc' ? Math.max(after ?? 0, afterOrd) : afterOrd;
    const below = page.order === 'asc' ? end : (after ?? end);
    const { [page.order]: read } = withoutBodies ? selectOwn : select;
    const rows = read(id, above, below, page.limit + 1, page.offset);
    return copied(takePage(rows, page, ({ row, shown, output }) => lengthOf(row, shown, output)));
  };
}

/**
 * Finds rows of both tables, as many as offset and page can take; the call that a step records has the ord before the step's.
 * Their texts are read one by one until the page is full, since sorting them would hold all of them.
 */
function callsSql(order: 'asc' | 'desc'): string {
  return `
SELECT * FROM (
  SELECT * FROM (
    SELECT c.ord, c.no AS own, NULL AS step FROM execution e JOIN call c ON c.execution = e.no
    WHERE e.id = ?1 AND c.ord > ?2 AND c.ord < ?3 ORDER BY c.ord ${order} LIMIT ?4 + ?5)
  UNION ALL
  SELECT * FROM (
    SELECT s.ord - 1, NULL, s.no FROM execution e JOIN step s ON s.execution = e.no
    WHERE e.id = ?1 AND s.ord > ?2 + 1 AND s.ord < ?3 + 1 AND s.call_id IS NOT NULL ORDER BY s.ord ${order} LIMIT ?4 + ?5)
) ORDER BY ord ${order} LIMIT ?4 OFFSET ?5`;
}

/** The number of a row in one of the tables. */
interface CallNumber {
  readonly own: number | null;
  readonly step: number | null;
}

const ownSql = `
SELECT ord, row, NULL AS callId, NULL AS round, NULL AS nodeId, NULL AS visit, NULL AS call, NULL AS output
FROM call WHERE no = ?`;

const recordedSql = `
SELECT s.ord - 1 AS ord, s.row, s.call_id AS callId, s.round, s.node_id AS nodeId, s.visit, s.call, ${listedOutput}
FROM step s WHERE s.no = ?`;

/** Prepares the page of calls. */
export function listCalls(session: Session): Operations['listCalls'] {
  const find = pages<CallNumber>(session, callsSql);
  const own = session.one<StoredCall>(ownSql);
  const recorded = session.one<StoredCall>(recordedSql);
  function* texts(places: Iterable<CallNumber>): Generator<StoredCall> {
    for (const { own: no, step } of places) {
      const text = no === null ? recorded(step) : own(no);
      if (text !== undefined) yield text;
    }
  }
  return (id, page, after) => {
    const above = page.order === 'asc' ? (after ?? 0) : 0;
    const below = page.order === 'asc' ? end : (after ?? end);
    const rows = texts(find[page.order](id, above, below, page.limit + 1, page.offset));
    return copied(takePage(rows, page, ({ row, call, output }) => lengthOf(row, call, output)));
  };
}
