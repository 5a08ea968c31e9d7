/**
 * Pages that end at bytes. How long a value is, Postgres knows without fetching it: only the values of the page itself are read, and
 * leave the server.
 */
import type { PageAnswer } from '../../pages.ts';

/** Beside the columns of a row: how many rows there are with those behind the page. */
interface Counted {
  readonly found: number;
}

/**
 * The statement that keeps of the rows of `source` the first, and the others as long as all together do not go beyond `bytes`
 * (a parameter). `source` has the rows of a page and one more, `order` is that of the page, `size` what a row counts.
 */
export function withinBytes(
  source: string,
  { columns, size, order, bytes }: Readonly<Record<'columns' | 'size' | 'order' | 'bytes', string>>,
): string {
  return `
SELECT ${columns}, found FROM (
  SELECT page.*, count(*) OVER () AS found, row_number() OVER in_order AS place,
    sum(${size}) OVER (in_order ROWS UNBOUNDED PRECEDING) AS bytes_to
  FROM (${source}) page
  WINDOW in_order AS (ORDER BY ${order})
) sized WHERE place = 1 OR bytes_to <= ${bytes}::bigint
ORDER BY ${order}`;
}

/** What a row counts: the bytes of these columns. */
export function sizeOf(...columns: readonly string[]): string {
  return columns.map((column) => `coalesce(octet_length(${column}), 0)`).join(' + ');
}

/** The page of such a statement's rows. */
export function pageWithin<T>(rows: readonly (T & Counted)[], limit: number): PageAnswer<T> {
  const shown = rows.slice(0, limit);
  return { rows: shown, more: (rows[0]?.found ?? 0) > shown.length };
}
