/** Pages of the rows of the store in memory. */
import type { CallRow, StepRow } from '../../src/core/history.ts';
import { maxCountedChildren, type ChildCounts, type ExecutionFilter } from '../../src/ports/store.ts';
import type { DueDetail, HistoryPageRequest, Page, StepPageRequest } from '../../src/ports/records.ts';
import type { ExecutionPageRequest, ListedExecution } from '../../src/ports/listing.ts';
import type { DueCursor } from '../../src/store/encoded-store.ts';
import { isInShards, type ShardSet } from '../../src/core/value/slot.ts';
import { lengthOf, statedRows } from '../../src/store/pages.ts';
import { decodeState, isOver } from '../../src/store/row-text.ts';
import { decodeStoredCall } from '../../src/store/step-text.ts';
import { byId, pageOf } from './page.ts';
import {
  dueDetailOf,
  listedLength,
  listedStepOf,
  matches,
  recordOf,
  recordedCall,
  type StoredExecution,
  type StoredStep,
} from './stored-execution.ts';

/** Returns a page of the executions that match the filter, by id. Throws BadCursor. */
export function executionPage(
  executions: Iterable<StoredExecution>,
  filter: ExecutionFilter,
  page: ExecutionPageRequest,
): Page<ListedExecution> {
  const rows = [...executions].filter((x) => matches(x, filter)).sort(byId);
  const stated = statedRows(page);
  const isStated = ({ summary: { status } }: StoredExecution): boolean =>
    stated === 'all' || status === 'CORRUPTED' || (stated === 'unlessSucceeded' && status !== 'SUCCEEDED');
  return pageOf(rows, page, {
    kind: 'execution',
    order: 'desc',
    keyOf: ({ id }) => [id],
    lengthOf: (x) => {
      const { labels, summary } = x;
      return lengthOf(JSON.stringify(labels), summary.failureDescription, isStated(x) ? x.state : undefined);
    },
    show: (x) => (isStated(x) ? statedOf(x) : recordOf(x)),
  });
}

/** The due executions of the shards, in order; see `UpkeepStore.listDue`. */
export function dueDetails(
  executions: Iterable<StoredExecution>,
  shards: ShardSet,
  until: number,
  limit: number,
  cursor: DueCursor | undefined,
): readonly DueDetail[] {
  return [...executions]
    .flatMap((x) => dueDetailOf(x) ?? [])
    .sort((a, b) => a.dueAt - b.dueAt || byId(a, b))
    .filter((x) => isInShards(shards, x.slot) && x.dueAt <= until)
    .filter((x) => cursor === undefined || x.dueAt > cursor.dueAt || (x.dueAt === cursor.dueAt && x.id > cursor.id))
    .slice(0, limit);
}

/** Counts the executions that this one started itself. */
export function childCounts(
  executions: Iterable<StoredExecution>,
  parent: string,
  nameGlobs: readonly string[] | undefined,
): ChildCounts {
  const found = [...executions].filter((x) =>
    matches(x, { parent, ...(nameGlobs === undefined ? {} : { nameGlobs }) }),
  );
  const children = found.sort(byId).slice(0, maxCountedChildren);
  const running = children.filter(({ summary }) => !isOver(summary)).length;
  const corrupted = children.filter(({ summary }) => summary.status === 'CORRUPTED').length;
  return { count: children.length, running, corrupted };
}

function statedOf(x: StoredExecution): ListedExecution {
  return { ...recordOf(x), state: decodeState(x.state) };
}

function isAfter(ord: number, { after, order }: HistoryPageRequest): boolean {
  return after === undefined || (order === 'desc' ? ord < after : ord > after);
}

/** Returns a page of step rows, by ord. Throws BadCursor. */
export function stepPage(id: string, steps: readonly StoredStep[], page: StepPageRequest): Page<StepRow> {
  const { afterOrd = 0, withoutBodies } = page;
  const rows = steps.filter(({ ord }) => ord > afterOrd && isAfter(ord, page)).sort((a, b) => a.ord - b.ord);
  return pageOf(rows, page, {
    kind: 'step',
    order: 'asc',
    keyOf: ({ ord }) => [ord],
    lengthOf: (step) => listedLength(step, withoutBodies),
    show: (step) => listedStepOf(id, step, withoutBodies),
  });
}

/** Returns a page of call rows, by ord. Throws BadCursor. */
export function callPage(x: Pick<StoredExecution, 'id' | 'steps' | 'calls'>, page: HistoryPageRequest): Page<CallRow> {
  const recorded = x.steps.flatMap((step) => recordedCall(step) ?? []);
  const rows = [...x.calls, ...recorded].filter(({ ord }) => isAfter(ord, page)).sort((a, b) => a.ord - b.ord);
  return pageOf(rows, page, {
    kind: 'call',
    order: 'asc',
    keyOf: ({ ord }) => [ord],
    lengthOf: ({ row, call, output }) => lengthOf(row, call, output),
    show: (stored) => decodeStoredCall(x.id, stored),
  });
}
