import { type JsonObject, roughSize } from '../../core/value/json.ts';
import { maxPageBytes } from '../../ports/listing.ts';
import type { Page, PageRequest } from '../../ports/records.ts';
import { turns } from '../../engine/turns.ts';

/** Bytes of rows per read; decoding them takes a few milliseconds. */
const chunkBytes = 512 * 1024;

/** A page of documents. `rows` counts all rows, including those not shown. */
export interface Gathered extends Page<JsonObject> {
  readonly rows: number;
}

/**
 * Gathers a page of documents from small pages of rows, so that other work runs in between. The page ends when its
 * documents reach {@link maxPageBytes}. `document` returns undefined for rows that are not shown. Throws what `list`
 * throws.
 */
export async function gatherPage<T>(
  list: (page: PageRequest) => Promise<Page<T>>,
  page: PageRequest,
  document: (row: T) => JsonObject | undefined,
): Promise<Gathered> {
  const items: JsonObject[] = [];
  let rows = 0;
  let size = 0;
  let next: PageRequest = { ...page, bytes: chunkBytes };
  for (;;) {
    const read = await list(next);
    rows += read.items.length;
    for (const row of read.items) {
      await turns.next();
      const shown = document(row);
      if (shown === undefined) continue;
      size += roughSize(shown, maxPageBytes);
      items.push(shown);
    }
    const { cursor } = read;
    if (cursor === undefined) return { items, rows };
    if (rows >= page.limit || size + chunkBytes > maxPageBytes) return { items, rows, cursor };
    const { offset: _skipped, ...rest } = next;
    next = { ...rest, limit: page.limit - rows, cursor };
  }
}
