/**
 * The embedded store: SQLite in one thread of its own, on disk at every commit, one process per data directory.
 *
 * Here everything is written as text once and handed over; the thread does the rest (see `sqlite-worker.ts`). Batches that
 * wait at the same time share a transaction.
 */
import type { AuditEntry, AuditFilter } from '../../ports/audit.ts';
import type { BeatAnswer, SoleWorkerCandidacy } from '../../ports/processes.ts';
import type { ExecutionPageRequest, ListedExecution, ShowStep } from '../../ports/listing.ts';
import type {
  ExecutionFilter,
  InboxRow,
  LoadedExecution,
  NewExecution,
  Offer,
  OfferResult,
  PutDefinitionResult,
  Store,
  StoreFault,
  SubmitResult,
  TerminalChange,
  UndoFilter,
  ActiveCounts,
  Checkpoint,
  CheckpointResult,
  ClaimRow,
  DefinitionRecord,
  EffectFilter,
  EffectRow,
} from '../../ports/store.ts';
import type {
  ExecutionProgress,
  Page,
  PageRequest,
  StepPageRequest,
  DueDetail,
  DueRow,
  ExecutionDetail,
} from '../../ports/records.ts';
import type { PartitionCare, PartitionChanges } from '../../ports/partitions.ts';
import { OutputsTooLarge, type TakeOverBounds } from '../../ports/store-bounds.ts';
import type { CallRow, StepRow } from '../../core/history.ts';
import type { ShardSet } from '../../core/slot.ts';
import type { UndoTarget } from '../../core/state.ts';
import { sendEncoded } from '../batch.ts';
import {
  auditPage,
  callPage,
  definitionPage,
  executionPage,
  listValues,
  pageValues,
  readCursor,
  stepPage,
} from '../pages.ts';
import { decodeCall, effectRow, encode, undoTarget } from '../row-text.ts';
import {
  activeCounts,
  claimRow,
  dueDetail,
  executionDetail,
  executionProgress,
  inboxRows,
  loadedExecution,
} from '../stored-rows.ts';
import { decodeStep, type StepText } from '../step-text.ts';
import { unrivalled } from '../unrivalled.ts';
import type { SubmitValues } from './protocol.ts';
import { SqliteExport } from './sqlite-export.ts';
import { SqliteThread } from './sqlite-thread.ts';
import { changeValues, checkpointResult, checkpointValues, submitValues } from './values.ts';

/** How to open the store. */
export interface SqliteStoreOptions {
  /** Created (mode 0700) where absent. */
  readonly dataDir: string;
  /** Whether opening brings an older schema up to date; default true. False: an older one is refused. */
  readonly migrate?: boolean;
  /** Bounds the file in pages of 4096 bytes; without it, by the disk alone. */
  readonly maxPages?: number;
  /** What lists show of large outputs; without it, the whole. */
  readonly showStep?: ShowStep;
  /** Told when the thread ended by itself or could not be started again. Must not throw. */
  readonly onFault?: (fault: StoreFault) => void;
}

/** Definitions known to be stored, so that their text need not be sent with every execution. */
const maxKnownBodies = 1000;

/** Executions removed in one transaction. */
const removalBatch = 50;

/** See the file header. */
export class SqliteStore implements Store {
  readonly #thread: SqliteThread;
  readonly #knownBodies = new Set<string>();
  readonly #show: ShowStep | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#show = options.showStep;
    this.#thread = new SqliteThread(
      { dataDir: options.dataDir, migrate: options.migrate ?? true, maxPages: options.maxPages ?? null },
      options.onFault ?? (() => undefined),
    );
  }

  /** Everything that the store holds, for a move to another one. */
  get promotionSource(): SqliteExport {
    return new SqliteExport(this.#thread);
  }

  open(): Promise<void> {
    return this.#thread.open();
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async ping(): Promise<number> {
    await this.#thread.call('ping');
    return Date.now();
  }

  /** Writes nothing: the lock of the data directory shows that every other process has ended. */
  beat(): Promise<BeatAnswer> {
    return Promise.resolve({ now: Date.now(), others: [] });
  }

  endProcess(): Promise<void> {
    return Promise.resolve();
  }

  putDefinition(record: DefinitionRecord, audit?: AuditEntry): Promise<PutDefinitionResult> {
    return this.#thread.call('putDefinition', record, audit);
  }

  getDefinition(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): Promise<DefinitionRecord | undefined> {
    return this.#thread.call('getDefinition', key);
  }

  async listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>> {
    const after = readCursor('definition', page);
    const answer = await this.#thread.call(
      'listDefinitions',
      pageValues(page, 'desc'),
      after && { createdAt: after[0] as number, id: after[1] as string },
      nameGlobs,
    );
    return definitionPage(answer);
  }

  deleteDefinition(id: string, audit?: AuditEntry): Promise<void> {
    return this.#thread.call('deleteDefinition', id, audit);
  }

  getDefinitionBody(hash: string): Promise<string | undefined> {
    return this.#thread.call('getDefinitionBody', hash);
  }

  submit(batch: readonly NewExecution[]): Promise<readonly SubmitResult[]> {
    return sendEncoded(
      batch,
      (x) => submitValues(x, this.#show),
      (values) => this.#submit(values, batch),
    );
  }

  /** Sends the definitions along that may not be stored yet; again with those that turn out to be missing. */
  async #submit(values: readonly SubmitValues[], batch: readonly NewExecution[]): Promise<readonly SubmitResult[]> {
    const texts = new Map(batch.map((x) => [x.definitionHash, x.definition]));
    const wanted = new Set([...texts.keys()].filter((hash) => !this.#knownBodies.has(hash)));
    for (;;) {
      const bodies = Object.fromEntries([...wanted].map((hash) => [hash, texts.get(hash) ?? '']));
      const answer = await this.#thread.call('submit', values, bodies);
      if (answer.kind === 'done') {
        if (this.#knownBodies.size + wanted.size > maxKnownBodies) this.#knownBodies.clear();
        for (const hash of wanted) this.#knownBodies.add(hash);
        return answer.results;
      }
      for (const hash of answer.missing) {
        this.#knownBodies.delete(hash);
        wanted.add(hash);
      }
    }
  }

  async takeOver(
    claims: readonly { readonly id: string; readonly claim: string }[],
    now: number,
    live: readonly string[] = [],
    bounds: TakeOverBounds = {},
  ): Promise<readonly LoadedExecution[]> {
    const rows = await this.#thread.call('takeOver', claims, now, live, bounds);
    return rows.map((row) => loadedExecution(row));
  }

  async readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]> {
    return (await this.#thread.call('readClaims', ids)).map((row) => claimRow(row));
  }

  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]> {
    return sendEncoded(
      batch,
      (x) => checkpointValues(x, this.#show),
      async (values) => (await this.#thread.call('checkpoint', values)).map((answer) => checkpointResult(answer)),
    );
  }

  async changeTerminal(change: TerminalChange): Promise<boolean> {
    return this.#thread.call('changeTerminal', changeValues(change, this.#show));
  }

  async offer(offer: Offer, now: number): Promise<OfferResult> {
    const { executionId, row, bodyHash, audit } = offer;
    const values = { executionId, id: row.id, at: row.at, event: encode(row.event), bodyHash: bodyHash ?? null, audit };
    return this.#thread.call('offer', values, now);
  }

  async readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }> {
    const { inboxSeq, inbox } = await this.#thread.call('readInbox', id);
    return { inboxSeq, inbox: inboxRows(inbox) };
  }

  async readOutputs(...[id, round, queries, maxBytes]: Parameters<Store['readOutputs']>): Promise<readonly StepRow[]> {
    const rows = await this.#thread.call('readOutputs', id, round, queries, maxBytes);
    if (rows === undefined) throw new OutputsTooLarge();
    return steps(rows);
  }

  async findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined> {
    const found = await this.#thread.call('findUndo', id, round, filter);
    return found && undoTarget(decodeStep(found));
  }

  async listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]> {
    return steps(await this.#thread.call('listEffects', id, limit, filter)).map((row) => effectRow(row));
  }

  async findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined> {
    const found = await this.#thread.call('findStanding', id, nodeId, visit, round);
    return found && effectRow(decodeStep(found));
  }

  async getExecution(id: string): Promise<ExecutionDetail | undefined> {
    const found = await this.#thread.call('getExecution', id);
    return found && executionDetail(found);
  }

  async getProgress(id: string): Promise<ExecutionProgress | undefined> {
    const found = await this.#thread.call('getProgress', id);
    return found && executionProgress(found);
  }

  async listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>> {
    const after = readCursor('execution', page)?.[0] as string | undefined;
    const answer = await this.#thread.call('listExecutions', filter, listValues(page), after);
    return executionPage(answer);
  }

  async listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>> {
    const after = readCursor('step', page)?.[0] as number | undefined;
    const { afterOrd, withoutBodies } = page;
    const answer = await this.#thread.call('listSteps', id, pageValues(page, 'asc'), after, {
      afterOrd,
      withoutBodies,
    });
    return stepPage(answer);
  }

  async listCalls(id: string, page: PageRequest): Promise<Page<CallRow>> {
    const after = readCursor('call', page)?.[0] as number | undefined;
    const answer = await this.#thread.call('listCalls', id, pageValues(page, 'asc'), after);
    return callPage(answer, ({ row }) => decodeCall(row));
  }

  findDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueRow[]> {
    return this.#thread.call('findDue', shards, until, limit, cursor);
  }

  async listDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueDetail[]> {
    return (await this.#thread.call('listDue', shards, until, limit, cursor)).map((row) => dueDetail(row));
  }

  async countActive(shards: ShardSet): Promise<ActiveCounts> {
    return activeCounts(await this.#thread.call('countActive', shards));
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return this.#thread.call('appendAudit', entry);
  }

  async listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    const after = readCursor('audit', page)?.[0] as string | undefined;
    return auditPage(await this.#thread.call('listAudit', filter, pageValues(page, 'desc'), after));
  }

  getSetting(key: string): Promise<string | undefined> {
    return this.#thread.call('getSetting', key);
  }

  initSetting(key: string, value: string): Promise<string> {
    return this.#thread.call('initSetting', key, value);
  }

  changeSetting(key: string, from: string, to: string): Promise<boolean> {
    return this.#thread.call('changeSetting', key, from, to);
  }

  /** The data directory belongs to one process anyway. */
  soleWorker(): SoleWorkerCandidacy {
    return unrivalled;
  }

  /** There is no other process to be told. */
  ringSoleWorker(): Promise<void> {
    return Promise.resolve();
  }

  tendPartitions(_care: PartitionCare): Promise<PartitionChanges> {
    return Promise.resolve({ created: 0, dropped: 0 });
  }

  /** In many short transactions, so that other writes go in between. */
  async deleteCompleted(before: number, limit: number): Promise<number> {
    let removed = 0;
    while (removed < limit) {
      const wanted = Math.min(removalBatch, limit - removed);
      const count = await this.#thread.call('removeCompleted', before, wanted);
      removed += count;
      if (count < wanted) break;
    }
    while (await this.#thread.call('sweep', before));
    return removed;
  }
}

function steps(rows: readonly StepText[]): StepRow[] {
  return rows.map((row) => decodeStep(row));
}
