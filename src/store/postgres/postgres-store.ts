/**
 * The store on Postgres, shared by any number of processes: on disk at every commit, batches in one statement each.
 *
 * What a statement did not answer may have been written; every write may be sent again unchanged (see the port).
 */
import type { CallRow, StepRow } from '../../core/history.ts';
import type { ShardSet } from '../../core/slot.ts';
import type { UndoTarget } from '../../core/state.ts';
import type { AuditEntry, AuditFilter } from '../../ports/audit.ts';
import type { BeatAnswer, ProcessInfo, SoleWorkerCandidacy, SoleWorkerListener } from '../../ports/processes.ts';
import type { ExecutionPageRequest, ListedExecution, ShowStep } from '../../ports/listing.ts';
import type { PartitionCare, PartitionChanges } from '../../ports/partitions.ts';
import type {
  ActiveCounts,
  Checkpoint,
  CheckpointResult,
  ClaimRow,
  DefinitionRecord,
  EffectFilter,
  EffectRow,
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
} from '../../ports/store.ts';
import type {
  DueDetail,
  DueRow,
  ExecutionDetail,
  ExecutionProgress,
  Page,
  PageRequest,
  StepPageRequest,
} from '../../ports/records.ts';
import { OutputsTooLarge, type TakeOverBounds } from '../../ports/store-bounds.ts';
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
import { effectRow, undoTarget } from '../row-text.ts';
import { decodeStep, type StepText } from '../step-text.ts';
import { executionDetail, executionProgress, inboxRows } from '../stored-rows.ts';
import { bisect, inWaves } from './batches.ts';
import { Connections } from './connection/connections.ts';
import { isExecutionId } from './columns/execution-id.ts';
import { unfoldedCall } from './columns/folded-calls.ts';
import { asRefusal, examine, findUnfinishedOld } from './connection/fitness.ts';
import { migrate, pendingMigrations } from './migrations.ts';
import { targetOf, type PostgresStoreOptions } from './connection/options.ts';
import { createPartitions, dropPartitions } from './partitions.ts';
import { appendAudit, listAudit } from './queries/audit.ts';
import { PostgresImport } from './postgres-import.ts';
import { Gathered } from './gathered.ts';
import { SharedLookups } from './shared-lookups.ts';
import { changeTerminal } from './queries/change-terminal.ts';
import { checkpointValues, writeCheckpoints } from './queries/checkpoint.ts';
import {
  deleteDefinition,
  getDefinition,
  getDefinitionBody,
  listDefinitions,
  putDefinition,
} from './queries/definitions.ts';
import { countActive, findDue, listDue } from './queries/due.ts';
import { findStanding, findUndo, listEffects, type StandingWanted, type UndoWanted } from './queries/effects.ts';
import { getExecutions, getProgress } from './queries/get-execution.ts';
import { listExecutions } from './queries/list-executions.ts';
import { listCalls, listSteps } from './queries/list-history.ts';
import { offer, offerValues, type OfferValues } from './queries/offer.ts';
import { PinnedBodies } from './queries/pinned-bodies.ts';
import { beat, endProcess } from './queries/processes.ts';
import { readClaims } from './queries/read-claims.ts';
import { readInbox } from './queries/read-inbox.ts';
import { type OutputsWanted, readOutputs } from './queries/read-outputs.ts';
import { removeCompleted, removeUnusedBodies, sweep } from './queries/remove-completed.ts';
import { changeSetting, getSetting, initSetting } from './queries/settings.ts';
import { submit, submitValues } from './queries/submit.ts';
import { takeOver } from './queries/take-over.ts';
import { warmUpStatements } from './queries/warm-up.ts';
import { ringSoleWorker, SoleWorkerLock } from './sole-worker.ts';

/** The row that is looked for never exists; that it would be locked makes a server that takes no writes refuse (25006). */
const pingSql = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
  FROM (VALUES (1)) AS once LEFT JOIN LATERAL (SELECT 1 FROM setting WHERE key = '' FOR KEY SHARE) AS written ON true`;

/** Executions removed in one transaction. */
const removalBatch = 200;

/** Months beside the running one for which opening makes partitions; the rest is tended later. */
const openingLookahead = 1;

type DefinitionKey = Parameters<Store['getDefinition']>[0];

/** See the file header. */
export class PostgresStore implements Store {
  readonly #connections: Connections;
  readonly #pinned: PinnedBodies;
  readonly #lookups: SharedLookups<DefinitionRecord | undefined>;
  readonly #offers = new Gathered(
    (offers: readonly OfferValues[]) =>
      inWaves(
        offers,
        ({ source }) => source.executionId,
        (wave) => offer(this.#connections, wave),
      ),
    ({ event }) => event.length,
  );
  readonly #executions = new Gathered((ids: readonly string[]) => getExecutions(this.#connections, ids));
  readonly #progress = new Gathered((ids: readonly string[]) => getProgress(this.#connections, ids));
  readonly #inboxes = new Gathered((ids: readonly string[]) => readInbox(this.#connections, ids));
  readonly #outputs = new Gathered((wanted: readonly OutputsWanted[]) => readOutputs(this.#connections, wanted));
  readonly #undos = new Gathered((wanted: readonly UndoWanted[]) => findUndo(this.#connections, wanted));
  readonly #standing = new Gathered((wanted: readonly StandingWanted[]) => findStanding(this.#connections, wanted));
  readonly #warmConnections: number;
  readonly #mayMigrate: boolean;
  readonly #show: ShowStep | undefined;
  readonly #onFault: (fault: StoreFault) => void;

  /** Throws an Error with a sentence when the options name no server. Connects to nothing yet. */
  constructor(options: PostgresStoreOptions) {
    this.#onFault = options.onFault ?? (() => undefined);
    this.#mayMigrate = options.migrate ?? true;
    this.#show = options.showStep;
    this.#warmConnections = options.warmConnections ?? 0;
    // Every run of a stored definition asks for it.
    this.#lookups = new SharedLookups((key) => getDefinition(this.#connections, JSON.parse(key) as DefinitionKey));
    this.#connections = new Connections(
      targetOf(options),
      {
        maxConnections: options.maxConnections ?? 10,
        minConnections: options.minConnections ?? 1,
        statementTimeoutMillis: options.statementTimeoutMillis ?? 30_000,
      },
      this.#onFault,
    );
    this.#pinned = new PinnedBodies(this.#connections);
  }

  /** Connections open, idle, and callers that wait for one; for metrics. */
  get connectionCounts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return this.#connections.counts;
  }

  /** Takes in everything that another store holds. */
  get promotionTarget(): PostgresImport {
    return new PostgresImport(this.#connections);
  }

  /** May be called again when it threw. */
  async open(): Promise<void> {
    try {
      await examine(this.#connections);
      await migrate(this.#connections, this.#mayMigrate);
    } catch (error) {
      throw asRefusal(error);
    }
    await this.#warnOfOld();
    if (this.#warmConnections > 0) void this.#connections.warmUp(this.#warmConnections, warmUpStatements());
    if (!this.#mayMigrate) return;
    try {
      const now = await this.ping();
      await createPartitions(this.#connections, { now, lookaheadMonths: openingLookahead }, this.#onFault);
    } catch (error) {
      // Rows go to the default partition until the next time.
      this.#onFault({ message: 'Partitions could not be made.', error: error as Error });
    }
  }

  async #warnOfOld(): Promise<void> {
    const sentence = await findUnfinishedOld(this.#connections);
    if (sentence !== undefined) this.#onFault({ level: 'warn', message: sentence });
  }

  /** Names the migrations that opening would run; changes nothing. Throws as opening does. */
  pendingMigrations(): Promise<readonly string[]> {
    return pendingMigrations(this.#connections);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async ping(): Promise<number> {
    const [row] = await this.#connections.query<{ now: number }>('short', { name: 'ping', text: pingSql });
    return row?.now ?? Number.NaN;
  }

  beat(process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer> {
    return beat(this.#connections, process, isFirst);
  }

  endProcess(id: string): Promise<void> {
    return endProcess(this.#connections, id);
  }

  putDefinition(record: DefinitionRecord, audit?: AuditEntry): Promise<PutDefinitionResult> {
    return putDefinition(this.#connections, record, audit);
  }

  getDefinition(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): Promise<DefinitionRecord | undefined> {
    return this.#lookups.find(JSON.stringify(key));
  }

  async listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>> {
    const after = readCursor('definition', page);
    const key = after && { createdAt: after[0] as number, id: after[1] as string };
    const answer = await listDefinitions(this.#connections, pageValues(page, 'desc'), key, nameGlobs);
    return definitionPage(answer);
  }

  deleteDefinition(id: string, audit?: AuditEntry): Promise<void> {
    return deleteDefinition(this.#connections, id, audit);
  }

  getDefinitionBody(hash: string): Promise<string | undefined> {
    return getDefinitionBody(this.#connections, hash);
  }

  submit(batch: readonly NewExecution[]): Promise<readonly SubmitResult[]> {
    return sendEncoded(
      batch,
      (x) => submitValues(x, this.#show),
      (values) =>
        inWaves(
          values,
          ({ source }) => source.id,
          (wave) => bisect(wave, (part) => submit(this.#connections, this.#pinned, part)),
        ),
    );
  }

  async takeOver(
    claims: readonly { readonly id: string; readonly claim: string }[],
    now: number,
    live: readonly string[] = [],
    bounds: TakeOverBounds = {},
  ): Promise<readonly LoadedExecution[]> {
    const known = claims.filter(({ id }) => isExecutionId(id));
    const loaded = await inWaves(
      known,
      ({ id }) => id,
      async (wave) => {
        const byId = new Map((await takeOver(this.#connections, wave, now, live, bounds)).map((x) => [x.id, x]));
        return wave.map(({ id }) => byId.get(id));
      },
    );
    return loaded.filter((x) => x !== undefined);
  }

  readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]> {
    return readClaims(this.#connections, ids);
  }

  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]> {
    return sendEncoded(
      batch,
      (x) => checkpointValues(x, this.#show),
      (values) =>
        inWaves(
          values,
          ({ source }) => source.id,
          (wave) => bisect(wave, (part) => writeCheckpoints(this.#connections, part)),
        ),
    );
  }

  async changeTerminal(change: TerminalChange): Promise<boolean> {
    return changeTerminal(this.#connections, change, this.#show);
  }

  async offer(event: Offer, now: number): Promise<OfferResult> {
    return this.#offers.ask(offerValues(event, now));
  }

  async readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }> {
    const { inboxSeq, inbox } = await this.#inboxes.ask(id);
    return { inboxSeq, inbox: inboxRows(inbox) };
  }

  async readOutputs(...[id, round, queries, maxBytes]: Parameters<Store['readOutputs']>): Promise<readonly StepRow[]> {
    const rows = await this.#outputs.ask({ id, round, queries, maxBytes });
    if (rows === undefined) throw new OutputsTooLarge();
    return stepRows(rows);
  }

  async findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined> {
    const found = await this.#undos.ask({ id, round, filter });
    return found && undoTarget(decodeStep(found));
  }

  async listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]> {
    return stepRows(await listEffects(this.#connections, id, limit, filter)).map((row) => effectRow(row));
  }

  async findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined> {
    const found = await this.#standing.ask({ id, nodeId, visit, round });
    return found && effectRow(decodeStep(found));
  }

  async getExecution(id: string): Promise<ExecutionDetail | undefined> {
    const found = await this.#executions.ask(id);
    return found && executionDetail(found);
  }

  async getProgress(id: string): Promise<ExecutionProgress | undefined> {
    const found = await this.#progress.ask(id);
    return found && executionProgress(found);
  }

  async listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>> {
    const after = readCursor('execution', page)?.[0] as string | undefined;
    const answer = await listExecutions(this.#connections, filter, listValues(page), after);
    return executionPage(answer);
  }

  async listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>> {
    const after = ordCursor('step', page);
    const answer = await listSteps(this.#connections, id, pageValues(page, 'asc'), after, page);
    return stepPage(answer);
  }

  async listCalls(id: string, page: PageRequest): Promise<Page<CallRow>> {
    const answer = await listCalls(this.#connections, id, pageValues(page, 'asc'), ordCursor('call', page));
    return callPage(answer, unfoldedCall);
  }

  findDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueRow[]> {
    return findDue(this.#connections, shards, until, limit, cursor);
  }

  listDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueDetail[]> {
    return listDue(this.#connections, shards, until, limit, cursor);
  }

  countActive(shards: ShardSet): Promise<ActiveCounts> {
    return countActive(this.#connections, shards);
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return appendAudit(this.#connections, entry);
  }

  async listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    const after = readCursor('audit', page)?.[0] as string | undefined;
    return auditPage(await listAudit(this.#connections, filter, pageValues(page, 'desc'), after));
  }

  getSetting(key: string): Promise<string | undefined> {
    return getSetting(this.#connections, key);
  }

  initSetting(key: string, value: string): Promise<string> {
    return initSetting(this.#connections, key, value);
  }

  changeSetting(key: string, from: string, to: string): Promise<boolean> {
    return changeSetting(this.#connections, key, from, to);
  }

  soleWorker(listener: SoleWorkerListener, silenceMillis: number): SoleWorkerCandidacy {
    return new SoleWorkerLock(this.#connections, listener, silenceMillis);
  }

  ringSoleWorker(items: readonly DueRow[]): Promise<void> {
    return ringSoleWorker(this.#connections, items);
  }

  /** In many transactions, so that none holds anything for long. */
  async deleteCompleted(before: number, limit: number): Promise<number> {
    let removed = 0;
    while (removed < limit) {
      const wanted = Math.min(removalBatch, limit - removed);
      const count = await removeCompleted(this.#connections, before, wanted);
      removed += count;
      if (count < wanted) break;
    }
    while (await sweep(this.#connections, before));
    return removed;
  }

  async tendPartitions(care: PartitionCare): Promise<PartitionChanges> {
    const created = await createPartitions(this.#connections, care, this.#onFault);
    const dropped = await dropPartitions(this.#connections, care);
    await removeUnusedBodies(this.#connections);
    const postponed = created.postponed + dropped.postponed;
    return { created: created.done, dropped: dropped.done, ...(postponed > 0 && { postponed }) };
  }
}

function stepRows(rows: readonly StepText[]): StepRow[] {
  return rows.map((row) => decodeStep(row));
}

function ordCursor(kind: 'step' | 'call', page: PageRequest): number | undefined {
  return readCursor(kind, page)?.[0] as number | undefined;
}
