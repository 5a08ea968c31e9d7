import type { CallRow, StepRow } from '../../core/history.ts';
import type { HistoryPageRequest, Page } from '../../ports/records.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';

/** Rows and bytes per read; decoding them takes a few milliseconds. */
const chunkRows = 500;
const chunkBytes = 512 * 1024;

type Order = 'asc' | 'desc';

/** A part of a history, of both kinds of rows, in ascending order. */
export interface HistoryPart {
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
  /** The ord after which the next part begins in the order of reading; absent if nothing follows. */
  readonly next?: number;
}

/** Reads a part of a history: after the ord `after` in an order, about `limit` rows of each kind. Outputs are not read. */
export async function readPart(
  app: Pick<AppContext, 'store'>,
  id: string,
  request: { readonly after: number | undefined; readonly order: Order; readonly limit: number },
): Promise<HistoryPart> {
  const { store } = app;
  const [steps, calls] = await Promise.all([
    readRows<StepRow>((page) => store.listSteps(id, { ...page, withoutBodies: true }), request),
    readRows<CallRow>((page) => store.listCalls(id, page), request),
  ]);
  const isAsc = request.order === 'asc';
  // Where one kind has more rows, the part ends at the last one of these that was read.
  const ends = [steps, calls].flatMap(({ rows, more }) => (more ? [rows.at(-1)?.ord ?? 0] : []));
  const next = ends.length === 0 ? undefined : isAsc ? Math.min(...ends) : Math.max(...ends);
  const within = <T extends { readonly ord: number }>(rows: readonly T[]): readonly T[] => {
    const kept = next === undefined ? rows : rows.filter(({ ord }) => (isAsc ? ord <= next : ord >= next));
    return isAsc ? kept : kept.toReversed();
  };
  return { steps: within(steps.rows), calls: within(calls.rows), ...(next !== undefined && { next }) };
}

async function readRows<T>(
  list: (page: HistoryPageRequest) => Promise<Page<T>>,
  { after, order, limit }: { readonly after: number | undefined; readonly order: Order; readonly limit: number },
): Promise<{ readonly rows: readonly T[]; readonly more: boolean }> {
  const rows: T[] = [];
  let next: HistoryPageRequest = { limit: 0, order, bytes: chunkBytes, ...(after !== undefined && { after }) };
  for (;;) {
    const read = await list({ ...next, limit: Math.min(chunkRows, limit - rows.length) });
    rows.push(...read.items);
    const { cursor } = read;
    if (cursor === undefined) return { rows, more: false };
    if (rows.length >= limit) return { rows, more: true };
    await turns.next();
    next = { limit: 0, order, bytes: chunkBytes, cursor };
  }
}
