import type { ShardSet } from '../../core/value/slot.ts';
import type { AuditEntry } from '../../ports/audit.ts';
import type { BeatAnswer, ProcessInfo, SoleWorkerCandidacy, SoleWorkerListener } from '../../ports/processes.ts';
import type { ShowStep } from '../../ports/listing.ts';
import type { PartitionCare, PartitionChanges } from '../../ports/partitions.ts';
import type {
  Checkpoint,
  CheckpointResult,
  DefinitionRecord,
  LoadedExecution,
  NewExecution,
  Offer,
  OfferResult,
  PutDefinitionResult,
  Store,
  StoreFault,
  SubmitResult,
  TerminalChange,
  TerminalChangeResult,
  TerminatedChildren,
} from '../../ports/store.ts';
import type { DueRow } from '../../ports/records.ts';
import type { TakeOverBounds } from '../../ports/store-bounds.ts';
import { sendEncoded } from '../batch.ts';
import { EncodedStore, type DueCursor } from '../encoded-store.ts';
import { postgresRows } from './postgres-rows.ts';
import { bisect, inWaves } from './batches.ts';
import { Connections } from './connection/connections.ts';
import { isExecutionId } from './columns/execution-id.ts';
import { asRefusal, examine, findUnfinishedOld } from './connection/fitness.ts';
import { migrate, pendingMigrations } from './migrations.ts';
import { targetOf, type PostgresStoreOptions } from './connection/options.ts';
import { createPartitions, dropPartitions } from './partitions.ts';
import { appendAudit } from './queries/audit.ts';
import { PostgresImport } from './postgres-import.ts';
import { Gathered } from './gathered.ts';
import { SharedLookups } from './shared-lookups.ts';
import { changeTerminal } from './queries/change-terminal.ts';
import { checkpointValues, writeCheckpoints, type CheckpointValues } from './queries/checkpoint.ts';
import { deleteDefinition, getDefinition, getDefinitionBody, putDefinition } from './queries/definitions.ts';
import { findDue } from './queries/due.ts';
import { offer, offerValues, type OfferValues } from './queries/offer.ts';
import { PinnedBodies } from './queries/pinned-bodies.ts';
import { beat, endProcess } from './queries/processes.ts';
import { removeUnusedBodies } from './queries/remove-completed.ts';
import { changeSetting, getSetting, initSetting } from './queries/settings.ts';
import { submit, submitValues } from './queries/submit.ts';
import { takeOver } from './queries/take-over.ts';
import { terminateChildren } from './queries/terminate-children.ts';
import { warmUpStatements } from './queries/warm-up.ts';
import { ringSoleWorker, SoleWorkerLock } from './sole-worker.ts';
import { UndoPositions } from './undo-positions.ts';

/** The row never exists, but the row lock makes a read-only server refuse the statement (25006). */
const pingSql = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
  FROM (VALUES (1)) AS once LEFT JOIN LATERAL (SELECT 1 FROM setting WHERE key = '' FOR KEY SHARE) AS written ON true`;

/** Maximum number of executions removed in one transaction. */
const removalBatch = 200;

/** Months after the current one for which `open` creates partitions; {@link Store.tendPartitions} creates later ones. */
const openingLookahead = 1;

type DefinitionKey = Parameters<Store['getDefinition']>[0];

/**
 * The store on Postgres, shared by any number of processes. Writes are on disk when they return, except those that document
 * otherwise; each batch is one statement.
 *
 * A statement whose reply is lost may have written; every write may be repeated unchanged (see the port).
 */
export class PostgresStore extends EncodedStore implements Store {
  readonly #connections: Connections;
  readonly #pinned: PinnedBodies;
  readonly #positions: UndoPositions;
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
  readonly #warmConnections: number;
  readonly #mayMigrate: boolean;
  readonly #show: ShowStep | undefined;
  readonly #onFault: (fault: StoreFault) => void;

  /** Throws an Error with a sentence when the options are invalid. Does not connect yet. */
  constructor(options: PostgresStoreOptions) {
    const onFault = options.onFault ?? (() => undefined);
    const connections = new Connections(
      targetOf(options),
      {
        maxConnections: options.maxConnections ?? 10,
        minConnections: options.minConnections ?? 1,
        statementTimeoutMillis: options.statementTimeoutMillis ?? 30_000,
      },
      onFault,
    );
    const positions = new UndoPositions();
    super(postgresRows(connections, positions), removalBatch);
    this.#connections = connections;
    this.#positions = positions;
    this.#onFault = onFault;
    this.#mayMigrate = options.migrate ?? true;
    this.#show = options.showStep;
    this.#warmConnections = options.warmConnections ?? 0;
    // Every run of a stored definition reads it.
    this.#lookups = new SharedLookups((key) => getDefinition(this.#connections, JSON.parse(key) as DefinitionKey));
    this.#pinned = new PinnedBodies(this.#connections);
  }

  /** Numbers of open and idle connections, and of callers that wait for one; for metrics. */
  get connectionCounts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return this.#connections.counts;
  }

  /** The target for the promotion of another store's content into this one. */
  get promotionTarget(): PostgresImport {
    return new PostgresImport(this.#connections);
  }

  /** May be called again after it threw. */
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
      // Rows go to the default partition until `tendPartitions` succeeds.
      this.#onFault({ message: 'Partitions could not be made.', error: error as Error });
    }
  }

  async #warnOfOld(): Promise<void> {
    const sentence = await findUnfinishedOld(this.#connections);
    if (sentence !== undefined) this.#onFault({ level: 'warn', message: sentence });
  }

  /** Names the migrations that `open` would run; changes nothing. Throws as `open` does. */
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
    for (const { id } of known) this.#positions.forget(id);
    return loaded.filter((x) => x !== undefined);
  }

  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]> {
    return sendEncoded(
      batch,
      (x) => checkpointValues(x, this.#show),
      (values) =>
        inWaves(
          values,
          ({ source }) => source.id,
          (wave) => bisect(wave, (part) => this.#writeCheckpoints(part)),
        ),
    );
  }

  async #writeCheckpoints(part: readonly CheckpointValues[]): Promise<readonly CheckpointResult[]> {
    const note = (): void => {
      for (const { source, history } of part) this.#positions.changed(source.id, history);
    };
    note();
    try {
      return await writeCheckpoints(this.#connections, part);
    } finally {
      note();
    }
  }

  async changeTerminal(change: TerminalChange): Promise<TerminalChangeResult> {
    return changeTerminal(this.#connections, change, this.#show);
  }

  async terminateChildren(id: string, eventId: string, now: number, after?: string): Promise<TerminatedChildren> {
    return terminateChildren(this.#connections, id, eventId, now, after);
  }

  async offer(event: Offer, now: number): Promise<OfferResult> {
    return this.#offers.ask(offerValues(event, now));
  }

  findDue(shards: ShardSet, until: number, limit: number, cursor?: DueCursor): Promise<readonly DueRow[]> {
    return findDue(this.#connections, shards, until, limit, cursor);
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return appendAudit(this.#connections, entry);
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

  async tendPartitions(care: PartitionCare): Promise<PartitionChanges> {
    const created = await createPartitions(this.#connections, care, this.#onFault);
    const dropped = await dropPartitions(this.#connections, care);
    await removeUnusedBodies(this.#connections);
    const postponed = created.postponed + dropped.postponed;
    return { created: created.done, dropped: dropped.done, ...(postponed > 0 && { postponed }) };
  }
}
