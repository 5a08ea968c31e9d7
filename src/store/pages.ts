/** Pages of rows that a query has cut: where they start, and the cursor that continues them. */
import type { CallRow, StepRow } from '../core/history.ts';
import type { AuditEntry } from '../ports/audit.ts';
import { type ExecutionPageRequest, type ListedExecution, maxPageBytes } from '../ports/listing.ts';
import type { DefinitionName, DefinitionRecord } from '../ports/store.ts';
import type { Page, PageRequest } from '../ports/records.ts';
import { decodeCursor, encodeCursor, type CursorKind } from './cursor.ts';
import { decodeStep, decodeStoredCall, type StepText, type StoredCall } from './step-text.ts';
import { listedExecution, type ListedValues } from './stored-rows.ts';

/** Where a page starts: rows after the key (in the page's order), this many skipped. */
export interface PageValues {
  readonly limit: number;
  readonly bytes: number;
  readonly offset: number;
  readonly order: 'asc' | 'desc';
}

/** A page's rows, and whether there are more. */
export interface PageAnswer<T> {
  readonly rows: readonly T[];
  readonly more: boolean;
  /** The first part of the key after which the next page begins, if it is not the last row's key. */
  readonly after?: string;
}

/** Converts a page request for a query. */
export function pageValues(page: PageRequest, order: 'asc' | 'desc'): PageValues {
  return {
    limit: page.limit,
    bytes: Math.min(page.bytes ?? maxPageBytes, maxPageBytes),
    offset: page.offset ?? 0,
    order: page.order ?? order,
  };
}

/** The rows of a list of executions that have their state: all, those that have not SUCCEEDED, or the CORRUPTED ones. */
export type StatedRows = 'all' | 'unlessSucceeded' | 'corrupted';

/** Converts the wish of a page request. */
export function statedRows({ withState = false }: ExecutionPageRequest): StatedRows {
  return withState === 'unlessSucceeded' ? withState : withState ? 'all' : 'corrupted';
}

/** Returns the column `state` of a list; `status` and `state` are those of the row. */
export function stateColumn(stated: StatedRows, status: string, state: string): string {
  switch (stated) {
    case 'all':
      return state;
    case 'unlessSucceeded':
      return `CASE WHEN ${status} <> 'SUCCEEDED' THEN ${state} END AS state`;
    case 'corrupted':
      return `CASE WHEN ${status} = 'CORRUPTED' THEN ${state} END AS state`;
  }
}

/** Where a page of executions starts, and what its rows have. */
export interface ListValues extends PageValues {
  readonly stated: StatedRows;
}

/** Converts a page request for a list of executions. */
export function listValues(page: ExecutionPageRequest): ListValues {
  return { ...pageValues(page, 'desc'), stated: statedRows(page) };
}

/**
 * Takes the page from the beginning of `rows` and reads at most one row beyond it. `bytesOf` returns the size of a row, in
 * characters if bytes are unknown.
 */
export function takePage<T>(
  rows: Iterable<T>,
  { limit, bytes }: Pick<PageValues, 'limit' | 'bytes'>,
  bytesOf: (row: T) => number,
): PageAnswer<T> {
  const taken: T[] = [];
  let size = 0;
  for (const row of rows) {
    size += bytesOf(row);
    if (taken.length === limit || (taken.length > 0 && size > bytes)) return { rows: taken, more: true };
    taken.push(row);
  }
  return { rows: taken, more: false };
}

/** The page with rows that may be sent to another thread; those of SQLite have no prototype. */
export function copied<T extends object>({ rows, more }: PageAnswer<T>): PageAnswer<T> {
  return { rows: rows.map((row) => ({ ...row })), more };
}

/** Characters of these texts together. */
export function lengthOf(...texts: readonly (string | null | undefined)[]): number {
  let length = 0;
  for (const text of texts) length += text?.length ?? 0;
  return length;
}

/** The sort key after which a page begins; undefined for the first page. Throws BadCursor. */
export function readCursor(kind: CursorKind, page: PageRequest): readonly (string | number)[] | undefined {
  return page.cursor === undefined ? undefined : decodeCursor(kind, page.cursor);
}

function makePage<R, T>(
  kind: CursorKind,
  answer: PageAnswer<R>,
  decode: (row: R) => T,
  keyOf: (row: R) => readonly (string | number)[],
): Page<T> {
  const items = answer.rows.map((row) => decode(row));
  const last = answer.rows.at(-1);
  if (answer.after !== undefined) return { items, cursor: encodeCursor(kind, [answer.after]) };
  return answer.more && last !== undefined ? { items, cursor: encodeCursor(kind, keyOf(last)) } : { items };
}

/** A page of executions, by id. */
export function executionPage(answer: PageAnswer<ListedValues>): Page<ListedExecution> {
  return makePage('execution', answer, listedExecution, (row) => [row.id]);
}

/** A page of definitions, by creation. */
export function definitionPage(answer: PageAnswer<DefinitionRecord>): Page<DefinitionRecord> {
  return makePage(
    'definition',
    answer,
    (row) => row,
    (row) => [row.createdAt, row.id],
  );
}

/** A name of definitions as the stores read it. */
export type NameValues = Pick<DefinitionName, 'name' | 'versions'> & DefinitionName['latest'];

/** A page of names of definitions. */
export function namePage(answer: PageAnswer<NameValues>): Page<DefinitionName> {
  return makePage(
    'name',
    answer,
    ({ name, versions, id, version, createdAt }) => ({ name, versions, latest: { id, version, createdAt } }),
    ({ name }) => [name],
  );
}

/** A page of steps, by ord. */
export function stepPage(executionId: string, answer: PageAnswer<StepText>): Page<StepRow> {
  return makePage(
    'step',
    answer,
    (row) => decodeStep(executionId, row),
    (row) => [row.ord],
  );
}

/** A page of calls, by ord. */
export function callPage(executionId: string, answer: PageAnswer<StoredCall>): Page<CallRow> {
  return makePage(
    'call',
    answer,
    (row) => decodeStoredCall(executionId, row),
    (row) => [row.ord],
  );
}

/** A row of the audit log. */
export type AuditValues = Omit<AuditEntry, 'details'> & { readonly details: string | null };

/** A page of the audit log, by id. */
export function auditPage(answer: PageAnswer<AuditValues>): Page<AuditEntry> {
  return makePage(
    'audit',
    answer,
    ({ details, ...row }) => (details === null ? row : { ...row, details }),
    (row) => [row.id],
  );
}
