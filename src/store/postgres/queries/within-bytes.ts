import type { PageAnswer } from '../../pages.ts';

/** An extra column: the number of rows, including those after the page. */
interface Counted {
  readonly found: number;
}

/**
 * The statement that returns the first row of `source`, and further rows while their total size does not exceed `bytes` (a
 * parameter). `source` selects one row more than the page, `order` is the page's order, and `size` is the size of a row.
 * Postgres knows the length of a value without fetching it, so it reads and sends only the values of the page.
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

/** The size of a row: the bytes of these columns. */
export function sizeOf(...columns: readonly string[]): string {
  return columns.map((column) => `coalesce(octet_length(${column}), 0)`).join(' + ');
}

/** The page of the rows of {@link withinBytes}. */
export function pageWithin<T>(rows: readonly (T & Counted)[], limit: number): PageAnswer<T> {
  const shown = rows.slice(0, limit);
  return { rows: shown, more: (rows[0]?.found ?? 0) > shown.length };
}
