import type { CallRow, StepRow, UndoMark } from '../../src/core/history.ts';
import { isInShards, type ShardSet } from '../../src/core/value/slot.ts';
import type { UndoTarget } from '../../src/core/state.ts';
import type { AuditEntry, AuditFilter } from '../../src/ports/audit.ts';
import type { BeatAnswer, ProcessInfo, SoleWorkerCandidacy } from '../../src/ports/processes.ts';
import { isExpected } from '../../src/ports/store/revision.ts';
import type { ExecutionPageRequest, ListedExecution, ShowStep } from '../../src/ports/listing.ts';
import type { PartitionCare } from '../../src/ports/partitions.ts';
import type {
  ActiveCounts,
  Checkpoint,
  CheckpointResult,
  ChildCounts,
  ClaimRow,
  DefinitionName,
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
  SubmitResult,
  TerminalChange,
  TerminalChangeResult,
  TerminatedChildren,
  UndoFilter,
} from '../../src/ports/store.ts';
import type {
  DueDetail,
  DueRow,
  ExecutionDetail,
  HistoryPageRequest,
  ExecutionProgress,
  Page,
  PageRequest,
  StepPageRequest,
} from '../../src/ports/records.ts';
import { maxStandingRequests, StoreUnavailable } from '../../src/ports/store.ts';
import { effectRow, encode, isOver, isStanding, undoTarget } from '../../src/store/row-text.ts';
import {
  appendMarks,
  claimOf,
  countsOf,
  encodeCall,
  encodeStep,
  isolated,
  progressOf,
  stepOf,
  storedExecution,
  takenOver,
  waitingRows,
  type StoredExecution,
  withinBytes,
} from './stored-execution.ts';
import type { DueCursor } from '../../src/store/encoded-store.ts';
import { unrivalled } from '../../src/store/unrivalled.ts';
import { admitted, isFenced, isOpen, terminatedChildren, toldTo } from './inbox.ts';
import { askedOutputs, latestStanding, nextUndo } from './history-reads.ts';
import { AuditLog } from './audit-log.ts';
import { DefinitionTable } from './definition-table.ts';
import { openEffects } from './open-effects.ts';
import { callPage, childCounts, dueDetails, executionPage, stepPage } from './lists.ts';
import { forgetKeys, removable, type StartKey } from './retention.ts';
import { ProcessTable } from './process-table.ts';

/**
 * A store in memory for simulations: it gives the guarantees of the other stores except durability.
 *
 * It keeps JSON text and parses the text for each answer, so that callers cannot change stored values, and numbers keep their
 * digits as in the other stores. Each call completes in one step; lists have a fixed order.
 */
export class MemoryStore implements Store {
  readonly #definitions = new DefinitionTable();
  readonly #bodies = new Map<string, string>();
  readonly #executions = new Map<string, StoredExecution>();
  readonly #startKeys = new Map<string, StartKey>();
  readonly #settings = new Map<string, string>();
  readonly #audit = new AuditLog();
  readonly #processes = new ProcessTable();
  readonly #now: () => number;
  readonly #show: ShowStep | undefined;
  #isOpen = false;

  /** `now` is the store's clock, in ms since 1970; `show` shortens large outputs in lists, which are complete without it. */
  constructor(now: () => number = Date.now, show?: ShowStep) {
    this.#now = now;
    this.#show = show;
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  /** Refuses requests from now on. Opening the store again makes all data available again. */
  async close(): Promise<void> {
    this.#isOpen = false;
  }

  async ping(): Promise<number> {
    this.#check();
    return this.#now();
  }

  #check(): void {
    if (!this.#isOpen) throw new StoreUnavailable('unreachable', 'The store is closed.');
  }

  async putDefinition(record: DefinitionRecord, audit?: AuditEntry): Promise<PutDefinitionResult> {
    this.#check();
    const result = this.#definitions.put(record);
    if (result.kind === 'stored') this.#audit.append(audit);
    return result;
  }

  async getDefinition(key: Parameters<Store['getDefinition']>[0]): Promise<DefinitionRecord | undefined> {
    this.#check();
    return this.#definitions.get(key);
  }

  async listDefinitionNames(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionName>> {
    this.#check();
    return this.#definitions.listNames(page, nameGlobs);
  }

  async listDefinitions(page: PageRequest, nameGlobs?: readonly string[]): Promise<Page<DefinitionRecord>> {
    this.#check();
    return this.#definitions.list(page, nameGlobs);
  }

  async deleteDefinition(id: string, audit?: AuditEntry): Promise<void> {
    this.#check();
    if (this.#definitions.delete(id)) this.#audit.append(audit);
  }

  async getDefinitionBody(hash: string): Promise<string | undefined> {
    this.#check();
    return this.#bodies.get(hash) ?? this.#definitions.textOf(hash);
  }

  async submit(batch: readonly NewExecution[]): Promise<readonly SubmitResult[]> {
    this.#check();
    return batch.map((x) => isolated(() => this.#insert(x)));
  }

  #insert(x: NewExecution): SubmitResult {
    if (x.mustBeStored === true && !this.#definitions.has(x) && !this.#executions.has(x.id)) return { kind: 'gone' };
    const key = x.startKey && JSON.stringify([x.startKey.caller, x.startKey.key]);
    const used = key === undefined ? undefined : this.#startKeys.get(key);
    if (used !== undefined && used.executionId !== x.id) {
      return used.fingerprint === x.startKey?.fingerprint
        ? { kind: 'existing', id: used.executionId }
        : { kind: 'reused' };
    }
    if (used !== undefined || this.#executions.has(x.id)) return { kind: 'created' };
    if (isFenced(this.#executions, x)) return { kind: 'fenced' };
    const stored = storedExecution(x, this.#show);
    const tell = toldTo(this.#executions, x.id, x.tells);
    this.#executions.set(x.id, stored);
    tell();
    this.#bodies.set(x.definitionHash, x.definition);
    if (key !== undefined && x.startKey !== undefined) {
      this.#startKeys.set(key, { fingerprint: x.startKey.fingerprint, executionId: x.id, createdAt: x.createdAt });
    }
    return { kind: 'created' };
  }

  async takeOver(
    ...[claims, now, live = [], bounds = {}]: Parameters<Store['takeOver']>
  ): Promise<readonly LoadedExecution[]> {
    this.#check();
    return claims.flatMap(({ id, claim }) => {
      const x = this.#executions.get(id);
      return (x && takenOver(x, claim, now, live, bounds)) ?? [];
    });
  }

  async readClaims(ids: readonly string[]): Promise<readonly ClaimRow[]> {
    this.#check();
    return ids.flatMap((id) => claimOf(this.#executions.get(id)));
  }

  async beat(process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer> {
    this.#check();
    return this.#processes.beat(process, isFirst, this.#now());
  }

  async endProcess(id: string): Promise<void> {
    this.#check();
    this.#processes.end(id);
  }

  async checkpoint(batch: readonly Checkpoint[]): Promise<readonly CheckpointResult[]> {
    this.#check();
    return batch.map((x) => isolated(() => this.#write(x)));
  }

  #write(checkpoint: Checkpoint): CheckpointResult {
    const x = this.#executions.get(checkpoint.id);
    if (x === undefined || x.claim !== checkpoint.claim) return { kind: 'fenced' };
    if (x.seq === checkpoint.seq + 1) return { kind: 'written', inboxSeq: x.inboxSeq };
    if (x.seq !== checkpoint.seq) return { kind: 'fenced' };
    if (checkpoint.inboxSeq !== undefined && checkpoint.inboxSeq !== x.inboxSeq) {
      return { kind: 'inbox', inboxSeq: x.inboxSeq, inbox: waitingRows(x) };
    }
    const tell = toldTo(this.#executions, x.id, checkpoint.tells);
    this.#append(x, checkpoint);
    x.claims = checkpoint.progress ? 0 : (checkpoint.claims ?? x.claims);
    if (checkpoint.dueAt !== undefined) x.dueAt = checkpoint.dueAt;
    for (const row of x.inbox) if (checkpoint.consumed.includes(row.id)) row.event = undefined;
    tell();
    if (checkpoint.terminatesChildren === undefined) return { kind: 'written', inboxSeq: x.inboxSeq };
    const { updatedAt } = checkpoint.summary;
    const children = terminatedChildren(this.#executions, x.id, checkpoint.terminatesChildren, updatedAt);
    return { kind: 'written', inboxSeq: x.inboxSeq, children };
  }

  /** Serializes everything before it changes anything, so that a value that cannot be stored changes nothing. */
  #append(
    x: StoredExecution,
    change: Pick<Checkpoint, 'state' | 'summary' | 'steps' | 'undo'> & Partial<Pick<Checkpoint, 'calls'>>,
  ): void {
    const state = encode(change.state);
    const steps = change.steps.map((row) => encodeStep(x.id, row, this.#show));
    const calls = (change.calls ?? []).map((row) => encodeCall(x.id, row));
    x.state = state;
    x.summary = { ...change.summary };
    x.steps.push(...steps);
    x.calls.push(...calls);
    x.seq += 1;
    appendMarks(x, change.undo satisfies readonly UndoMark[]);
  }

  async terminateChildren(...args: Parameters<Store['terminateChildren']>): Promise<TerminatedChildren> {
    this.#check();
    return terminatedChildren(this.#executions, ...args);
  }

  async changeTerminal(change: TerminalChange): Promise<TerminalChangeResult> {
    this.#check();
    const x = this.#executions.get(change.id);
    if (x === undefined) return false;
    if (x.change === change.writeId) return true;
    if (!isOver(x.summary) || x.seq !== change.seq) return false;
    if (isOpen(this.#executions, change.ifRootOver)) return 'root_open';
    const tell = toldTo(this.#executions, x.id, change.tells);
    this.#append(x, change);
    x.claim = undefined;
    x.claims = 0;
    x.change = change.writeId;
    this.#audit.append(change.audit);
    x.dueAt = change.dueAt;
    tell();
    return true;
  }

  async offer({ executionId, row, bodyHash, expected, audit }: Offer, now: number): Promise<OfferResult> {
    this.#check();
    const x = this.#executions.get(executionId);
    if (x === undefined) return { kind: 'unknown' };
    if (x.inbox.some(({ id }) => id === row.id)) return { kind: 'accepted' };
    if (!isExpected(x, expected)) return { kind: 'changed' };
    const answer = admitted(x, row, bodyHash, now);
    if (answer.kind === 'accepted') this.#audit.append(audit);
    return answer;
  }

  async readInbox(id: string): Promise<{ readonly inboxSeq: number; readonly inbox: readonly InboxRow[] }> {
    this.#check();
    const x = this.#executions.get(id);
    return { inboxSeq: x?.inboxSeq ?? 0, inbox: x === undefined ? [] : waitingRows(x) };
  }

  #steps(id: string): readonly StepRow[] {
    return (this.#executions.get(id)?.steps ?? []).map((step) => stepOf(id, step)).sort((a, b) => a.ord - b.ord);
  }

  async readOutputs(
    ...[id, round, queries, maxBytes = Infinity]: Parameters<Store['readOutputs']>
  ): Promise<readonly StepRow[]> {
    this.#check();
    const refOnly = new Set(this.#executions.get(id)?.steps.flatMap((step) => (step.isReadable ? [] : [step.ord])));
    const found = askedOutputs(this.#steps(id), ({ ord }) => !refOnly.has(ord), round, queries);
    return withinBytes(found, maxBytes);
  }

  async findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined> {
    this.#check();
    const first = nextUndo(this.#steps(id), round, filter);
    return first && undoTarget(first);
  }

  async listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]> {
    this.#check();
    const rows = this.#steps(id).filter((row) => row.effect !== undefined || row.undo !== undefined);
    const found = filter === undefined ? rows : openEffects(rows, limit, filter);
    return found.slice(0, limit).map((row) => effectRow(row));
  }

  async findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined> {
    this.#check();
    const found = latestStanding(this.#steps(id), nodeId, visit, round);
    return found && effectRow(found);
  }

  async listStandingRequests(
    ...[id, nodeId, round, fingerprint]: Parameters<Store['listStandingRequests']>
  ): Promise<readonly EffectRow[]> {
    this.#check();
    return this.#steps(id)
      .filter((row) => row.nodeId === nodeId && row.round < round && isStanding(row))
      .filter((row) => row.fingerprint === fingerprint || (row.fingerprint === undefined && row.effect === 'unknown'))
      .slice(0, maxStandingRequests)
      .map((row) => effectRow(row));
  }

  async getExecution(id: string): Promise<ExecutionDetail | undefined> {
    this.#check();
    const x = this.#executions.get(id);
    return x && { ...progressOf(x), payload: x.payload };
  }

  async getProgress(id: string): Promise<ExecutionProgress | undefined> {
    this.#check();
    const x = this.#executions.get(id);
    return x && progressOf(x);
  }

  async listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>> {
    this.#check();
    return executionPage(this.#executions.values(), filter, page);
  }

  async countChildren(id: string, nameGlobs?: readonly string[]): Promise<ChildCounts> {
    this.#check();
    return childCounts(this.#executions.values(), id, nameGlobs);
  }

  async listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>> {
    this.#check();
    return stepPage(id, this.#executions.get(id)?.steps ?? [], page);
  }

  async listCalls(id: string, page: HistoryPageRequest): Promise<Page<CallRow>> {
    this.#check();
    return callPage(this.#executions.get(id) ?? { id, steps: [], calls: [] }, page);
  }

  async findDue(shards: ShardSet, until: number, limit: number, cursor?: DueCursor): Promise<readonly DueRow[]> {
    return (await this.listDue(shards, until, limit, cursor)).map(({ id, slot, dueAt }) => ({ id, slot, dueAt }));
  }

  async listDue(shards: ShardSet, until: number, limit: number, cursor?: DueCursor): Promise<readonly DueDetail[]> {
    this.#check();
    return dueDetails(this.#executions.values(), shards, until, limit, cursor);
  }

  async countActive(shards: ShardSet): Promise<ActiveCounts> {
    this.#check();
    return countsOf([...this.#executions.values()].filter(({ slot }) => isInShards(shards, slot)));
  }

  async appendAudit(entry: AuditEntry): Promise<void> {
    this.#check();
    this.#audit.append(entry);
  }

  async listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    this.#check();
    return this.#audit.list(filter, page);
  }

  async getSetting(key: string): Promise<string | undefined> {
    this.#check();
    return this.#settings.get(key);
  }

  async initSetting(key: string, value: string): Promise<string> {
    this.#check();
    if (!this.#settings.has(key)) this.#settings.set(key, value);
    return this.#settings.get(key) ?? value;
  }

  async changeSetting(key: string, from: string, to: string): Promise<boolean> {
    this.#check();
    if (this.#settings.get(key) === from) this.#settings.set(key, to);
    return this.#settings.get(key) === to;
  }

  /** Always grants the role: simulated processes that share this store share a queue and never ask for it. */
  soleWorker(): SoleWorkerCandidacy {
    return unrivalled;
  }

  async ringSoleWorker(): Promise<void> {
    this.#check();
  }

  async tendPartitions(_care: PartitionCare): ReturnType<Store['tendPartitions']> {
    this.#check();
    return { created: 0, dropped: 0 };
  }

  async deleteCompleted(before: number, limit: number): Promise<number> {
    this.#check();
    const removed = removable(this.#executions, before, limit);
    for (const { id } of removed) this.#executions.delete(id);
    forgetKeys(this.#startKeys, this.#executions, before);
    const pinned = new Set([...this.#executions.values()].map((x) => x.definitionHash));
    for (const hash of this.#bodies.keys()) if (!pinned.has(hash)) this.#bodies.delete(hash);
    return removed.length;
  }
}
