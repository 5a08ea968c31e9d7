import type { CallRow, StepRow } from '../../core/history.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { roughSize } from '../../core/value/json.ts';
import { turns } from '../../engine/turns.ts';
import { maxPageBytes } from '../../ports/listing.ts';
import type { Page, PageRequest } from '../../ports/records.ts';

/** Which rows of a history are listed; absent fields do not restrict, and a row matches any value of a list. */
export interface HistoryFilter {
  readonly nodeIds?: readonly string[];
  readonly phases?: readonly string[];
  readonly outcomes?: readonly string[];
  readonly visit?: number;
  readonly round?: number;
}

/** Rows that one page looks at; a page with fewer matches ends here with a cursor. */
const maxLooks = 20_000;
/** Rows and bytes per read. */
const chunkRows = 500;
const chunkBytes = 512 * 1024;

/** Whether a filter restricts anything. */
export function isRestricting(filter: HistoryFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** Whether a row of the history matches. */
export function isWanted(filter: HistoryFilter, row: StepRow | CallRow): boolean {
  const { nodeIds, phases, outcomes, visit, round } = filter;
  return (
    (visit === undefined || row.visit === visit) &&
    (round === undefined || row.round === round) &&
    (nodeIds === undefined || nodeIds.includes(row.nodeId)) &&
    (phases === undefined || phases.includes(row.phase)) &&
    (outcomes === undefined || outcomes.includes(row.outcome))
  );
}

/**
 * A page of the rows that match, read in chunks so that other work runs in between. `document` returns undefined for rows that are not
 * shown. Throws what `list` throws.
 */
export async function gatherMatching<T>(
  list: (page: PageRequest) => Promise<Page<T>>,
  page: PageRequest,
  isMatch: (row: T) => boolean,
  document: (row: T) => JsonObject | undefined,
  maxRows: number = maxLooks,
): Promise<Page<JsonObject> & { readonly rows: number }> {
  const items: JsonObject[] = [];
  let size = 0;
  let rows = 0;
  let next: PageRequest = { ...page, bytes: chunkBytes };
  for (let most = chunkRows; ;) {
    const read = await list({ ...next, limit: most });
    const room = page.limit - items.length;
    const places = read.items.flatMap((row, place) => (isMatch(row) ? [place] : []));
    const last = places[room - 1];
    if (places.length > room && last !== undefined) {
      // A page's cursor is that of its last row, so this reads the rows up to the last match again.
      most = last + 1;
      continue;
    }
    rows += read.items.length;
    for (const place of places) {
      await turns.next();
      const row = read.items[place];
      const shown = row === undefined ? undefined : document(row);
      if (shown === undefined) continue;
      size += roughSize(shown, maxPageBytes);
      items.push(shown);
    }
    const { cursor } = read;
    if (cursor === undefined) return { items, rows };
    if (items.length >= page.limit || rows >= maxRows || size + chunkBytes > maxPageBytes)
      return { items, rows, cursor };
    const { offset: _skipped, ...rest } = next;
    next = { ...rest, cursor };
    most = chunkRows;
  }
}
