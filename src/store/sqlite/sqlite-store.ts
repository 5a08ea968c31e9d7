import type { AuditEntry } from '../../ports/audit.ts';
import type { BeatAnswer, SoleWorkerCandidacy } from '../../ports/processes.ts';
import type { ShowStep } from '../../ports/listing.ts';
import type {
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
  Checkpoint,
  CheckpointResult,
  DefinitionRecord,
} from '../../ports/store.ts';
import type { DueRow } from '../../ports/records.ts';
import type { PartitionCare, PartitionChanges } from '../../ports/partitions.ts';
import type { TakeOverBounds } from '../../ports/store-bounds.ts';
import type { ShardSet } from '../../core/value/slot.ts';
import { sendEncoded } from '../batch.ts';
import { EncodedStore, type DueCursor } from '../encoded-store.ts';
import { sqliteRows } from './sqlite-rows.ts';
import { encode } from '../row-text.ts';
import { loadedExecution } from '../stored-rows.ts';
import { unrivalled } from '../unrivalled.ts';
import type { SubmitValues } from './protocol.ts';
import { SqliteExport } from './sqlite-export.ts';
import { SqliteThread } from './sqlite-thread.ts';
import { changeValues, checkpointResult, checkpointValues, submitValues } from './values.ts';

/** Options of the store. */
export interface SqliteStoreOptions {
  /** Created (mode 0700) where absent. */
  readonly dataDir: string;
  /** Whether `open` migrates an older schema (default) or refuses it. */
  readonly migrate?: boolean;
  /** Bounds the file in pages of 4096 bytes; without it, by the disk alone. */
  readonly maxPages?: number;
  /** Shortens large outputs for lists; without it, lists show them in full. */
  readonly showStep?: ShowStep;
  /** Called when the thread ends unexpectedly or cannot be restarted. Must not throw. */
  readonly onFault?: (fault: StoreFault) => void;
}

/** Definitions known to be stored, so that their text need not be sent with every execution. */
const maxKnownBodies = 1000;

/** Executions removed in one transaction. */
const removalBatch = 50;

/**
 * The embedded store: SQLite in one thread of its own, on disk at every commit, one process per data directory.
 *
 * This class encodes everything as text once and hands it over; the thread does the rest (see `sqlite-worker.ts`). Batches that
 * wait at the same time share a transaction.
 */
export class SqliteStore extends EncodedStore implements Store {
  readonly #thread: SqliteThread;
  readonly #knownBodies = new Set<string>();
  readonly #show: ShowStep | undefined;

  constructor(options: SqliteStoreOptions) {
    const thread = new SqliteThread(
      { dataDir: options.dataDir, migrate: options.migrate ?? true, maxPages: options.maxPages ?? null },
      options.onFault ?? (() => undefined),
    );
    super(sqliteRows(thread), removalBatch);
    this.#thread = thread;
    this.#show = options.showStep;
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

  checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]> {
    return sendEncoded(
      batch,
      (x) => checkpointValues(x, this.#show),
      async (values) => (await this.#thread.call('checkpoint', values)).map((answer) => checkpointResult(answer)),
    );
  }

  async changeTerminal(change: TerminalChange): Promise<TerminalChangeResult> {
    return this.#thread.call('changeTerminal', changeValues(change, this.#show));
  }

  terminateChildren(id: string, eventId: string, now: number, after = ''): Promise<TerminatedChildren> {
    return this.#thread.call('terminateChildren', id, eventId, now, after);
  }

  async offer(offer: Offer, now: number): Promise<OfferResult> {
    const { executionId, row, bodyHash = null, expected, audit } = offer;
    const event = encode(row.event);
    return this.#thread.call('offer', { executionId, id: row.id, at: row.at, event, bodyHash, expected, audit }, now);
  }

  findDue(shards: ShardSet, until: number, limit: number, cursor?: DueCursor): Promise<readonly DueRow[]> {
    return this.#thread.call('findDue', shards, until, limit, cursor);
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return this.#thread.call('appendAudit', entry);
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

  /** Does nothing: no other process can use the data directory. */
  ringSoleWorker(): Promise<void> {
    return Promise.resolve();
  }

  tendPartitions(_care: PartitionCare): Promise<PartitionChanges> {
    return Promise.resolve({ created: 0, dropped: 0 });
  }
}
