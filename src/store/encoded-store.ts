import type { CallRow, StepRow } from '../core/history.ts';
import type { OutputQuery } from '../core/context/outputs.ts';
import type { ShardSet } from '../core/value/slot.ts';
import type { UndoTarget } from '../core/state.ts';
import type { AuditEntry, AuditFilter } from '../ports/audit.ts';
import type { ExecutionPageRequest, ListedExecution } from '../ports/listing.ts';
import type {
  DueDetail,
  ExecutionDetail,
  ExecutionProgress,
  HistoryPageRequest,
  Page,
  PageRequest,
  StepPageRequest,
} from '../ports/records.ts';
import type {
  ActiveCounts,
  ChildCounts,
  ClaimRow,
  DefinitionName,
  DefinitionRecord,
  EffectFilter,
  EffectRow,
  ExecutionFilter,
  InboxRow,
  Store,
  UndoFilter,
} from '../ports/store.ts';
import { maxCountedChildren } from '../ports/store.ts';
import { OutputsTooLarge } from '../ports/store-bounds.ts';
import {
  type AuditValues,
  auditPage,
  callPage,
  definitionPage,
  executionPage,
  type ListValues,
  namePage,
  type NameValues,
  listValues,
  type PageAnswer,
  type PageValues,
  pageValues,
  readCursor,
  stepPage,
} from './pages.ts';
import { effectRow, undoTarget } from './row-text.ts';
import { decodeStep, type StepText, type StoredCall } from './step-text.ts';
import {
  activeCounts,
  type ClaimValues,
  claimRow,
  type CountValues,
  type DetailValues,
  type DueValues,
  dueDetail,
  executionDetail,
  executionProgress,
  type InboxValues,
  inboxRows,
  type ListedValues,
  type ProgressValues,
} from './stored-rows.ts';

/** Where a page of due executions begins: after this row. */
export interface DueCursor {
  readonly dueAt: number;
  readonly id: string;
}

/**
 * The rows of one database, with states, steps, calls and events as text: what Postgres and SQLite implement each in SQL.
 */
export interface StoredRows {
  listDefinitions(
    page: PageValues,
    after: { readonly createdAt: number; readonly id: string } | undefined,
    nameGlobs: readonly string[] | undefined,
  ): Promise<PageAnswer<DefinitionRecord>>;
  listDefinitionNames(
    page: PageValues,
    after: string | undefined,
    nameGlobs: readonly string[] | undefined,
  ): Promise<PageAnswer<NameValues>>;
  readClaims(ids: readonly string[]): Promise<readonly ClaimValues[]>;
  readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxValues[] }>;
  /** Undefined when the outputs take more than `maxBytes`. */
  readOutputs(
    id: string,
    round: number,
    queries: readonly OutputQuery[],
    maxBytes: number | undefined,
  ): Promise<readonly StepText[] | undefined>;
  findUndo(id: string, round: number, filter: UndoFilter): Promise<StepText | undefined>;
  listEffects(id: string, limit: number, filter: EffectFilter | undefined): Promise<readonly StepText[]>;
  findStanding(id: string, nodeId: string, visit: number, round: number): Promise<StepText | undefined>;
  listStandingRequests(id: string, nodeId: string, round: number, fingerprint: string): Promise<readonly StepText[]>;
  getExecution(id: string): Promise<DetailValues | undefined>;
  getProgress(id: string): Promise<ProgressValues | undefined>;
  listExecutions(
    filter: ExecutionFilter,
    page: ListValues,
    after: string | undefined,
  ): Promise<PageAnswer<ListedValues>>;
  /** Counts at most `limit` of them. */
  countChildren(id: string, nameGlobs: readonly string[] | undefined, limit: number): Promise<ChildCounts>;
  listSteps(
    id: string,
    page: PageValues,
    after: number | undefined,
    of: { readonly afterOrd: number | undefined; readonly withoutBodies: boolean | undefined },
  ): Promise<PageAnswer<StepText>>;
  listCalls(id: string, page: PageValues, after: number | undefined): Promise<PageAnswer<StoredCall>>;
  listDue(shards: ShardSet, until: number, limit: number, cursor: DueCursor | undefined): Promise<readonly DueValues[]>;
  countActive(shards: ShardSet): Promise<readonly CountValues[]>;
  listAudit(filter: AuditFilter, page: PageValues, after: string | undefined): Promise<PageAnswer<AuditValues>>;
  /** Removes at most `limit` completed executions in one transaction; returns how many, and whether it found all there are. */
  removeCompleted(before: number, limit: number): Promise<{ readonly removed: number; readonly isEnd: boolean }>;
  /** Removes some of what completed executions have left behind; false when nothing is left. */
  sweep(before: number): Promise<boolean>;
}

/**
 * What the SQL stores share: checks cursors, bounds pages, and turns stored rows into the port's objects. An adapter adds the
 * writes, whose encoding differs by database.
 */
export abstract class EncodedStore {
  readonly #rows: StoredRows;
  readonly #removalBatch: number;

  /** `removalBatch` is the number of executions that one transaction removes. */
  constructor(rows: StoredRows, removalBatch: number) {
    this.#rows = rows;
    this.#removalBatch = removalBatch;
  }

  async listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>> {
    const after = readCursor('definition', page);
    const key = after && { createdAt: after[0] as number, id: after[1] as string };
    return definitionPage(await this.#rows.listDefinitions(pageValues(page, 'desc'), key, nameGlobs));
  }

  async listDefinitionNames(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionName>> {
    const after = readCursor('name', page)?.[0] as string | undefined;
    return namePage(await this.#rows.listDefinitionNames(pageValues(page, 'asc'), after, nameGlobs));
  }

  async readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]> {
    return (await this.#rows.readClaims(ids)).map((row) => claimRow(row));
  }

  async readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }> {
    const { inboxSeq, inbox } = await this.#rows.readInbox(id);
    return { inboxSeq, inbox: inboxRows(inbox) };
  }

  async readOutputs(...[id, round, queries, maxBytes]: Parameters<Store['readOutputs']>): Promise<readonly StepRow[]> {
    const rows = await this.#rows.readOutputs(id, round, queries, maxBytes);
    if (rows === undefined) throw new OutputsTooLarge();
    return rows.map((row) => decodeStep(id, row));
  }

  async findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined> {
    const found = await this.#rows.findUndo(id, round, filter);
    return found && undoTarget(decodeStep(id, found));
  }

  async listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]> {
    return (await this.#rows.listEffects(id, limit, filter)).map((row) => effectRow(decodeStep(id, row)));
  }

  async findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined> {
    const found = await this.#rows.findStanding(id, nodeId, visit, round);
    return found && effectRow(decodeStep(id, found));
  }

  async listStandingRequests(
    ...[id, ...asked]: Parameters<Store['listStandingRequests']>
  ): Promise<readonly EffectRow[]> {
    return (await this.#rows.listStandingRequests(id, ...asked)).map((row) => effectRow(decodeStep(id, row)));
  }

  async getExecution(id: string): Promise<ExecutionDetail | undefined> {
    const found = await this.#rows.getExecution(id);
    return found && executionDetail(found);
  }

  async getProgress(id: string): Promise<ExecutionProgress | undefined> {
    const found = await this.#rows.getProgress(id);
    return found && executionProgress(found);
  }

  async listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>> {
    const after = readCursor('execution', page)?.[0] as string | undefined;
    return executionPage(await this.#rows.listExecutions(filter, listValues(page), after));
  }

  countChildren(id: string, nameGlobs?: readonly string[]): Promise<ChildCounts> {
    return this.#rows.countChildren(id, nameGlobs, maxCountedChildren);
  }

  async listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>> {
    const { afterOrd, withoutBodies } = page;
    const values = pageValues(page, 'asc');
    return stepPage(id, await this.#rows.listSteps(id, values, ordAfter('step', page), { afterOrd, withoutBodies }));
  }

  async listCalls(id: string, page: HistoryPageRequest): Promise<Page<CallRow>> {
    const answer = await this.#rows.listCalls(id, pageValues(page, 'asc'), ordAfter('call', page));
    return callPage(id, answer);
  }

  async listDue(shards: ShardSet, until: number, limit: number, cursor?: DueCursor): Promise<readonly DueDetail[]> {
    return (await this.#rows.listDue(shards, until, limit, cursor)).map((row) => dueDetail(row));
  }

  async countActive(shards: ShardSet): Promise<ActiveCounts> {
    return activeCounts(await this.#rows.countActive(shards));
  }

  async listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    const after = readCursor('audit', page)?.[0] as string | undefined;
    return auditPage(await this.#rows.listAudit(filter, pageValues(page, 'desc'), after));
  }

  /** Removes in many short transactions, so that other writes run in between. */
  async deleteCompleted(before: number, limit: number): Promise<number> {
    let removed = 0;
    while (removed < limit) {
      const wanted = Math.min(this.#removalBatch, limit - removed);
      const round = await this.#rows.removeCompleted(before, wanted);
      removed += round.removed;
      if (round.isEnd) break;
    }
    while (await this.#rows.sweep(before));
    return removed;
  }
}

function ordAfter(kind: 'step' | 'call', page: HistoryPageRequest): number | undefined {
  return page.after ?? (readCursor(kind, page)?.[0] as number | undefined);
}
