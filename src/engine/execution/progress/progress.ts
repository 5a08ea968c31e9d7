import { prepared, type Run, type Transition } from '../../../core/apply.ts';
import { canPark, dueAt } from '../../../core/due.ts';
import type { Command, Event } from '../../../core/event.ts';
import type { Checkpoint, InboxRow, Tell } from '../../../ports/store.ts';
import type { ClaimedExecution } from '../driver-contract.ts';
import { UnappliedInbox, isIdling, replayed } from './inbox-order.ts';
import { PendingBatch } from './pending-batch.ts';
import type { Restore } from '../restored-outputs.ts';

/**
 * The state of one execution, durable and present, and the events to apply next. Does no I/O.
 *
 * Guarantees: the run always equals the durable run with the journal applied, so {@link Progress.rebase} undoes a refused checkpoint and
 * applies the journal again. An inbox event is applied at most once on top of a durable state.
 */
export class Progress {
  /** Sequence number of the store's row, as last known. */
  seq: number;
  /** Sequence number up to which the inbox has been read; -1 if it must be read again. */
  inboxSeq: number;
  /** The run in the store. */
  #durable: Run;
  #run: Run;
  /** Events applied since the durable state. */
  #journal: Event[] = [];
  #batch = new PendingBatch();
  /** Events that come before the inbox. */
  #first: Event[] = [];
  /** Events that come after the inbox. */
  #events: Event[] = [];
  readonly #inbox: UnappliedInbox;
  #parkedUntil: number | undefined;
  #quarantine: string | undefined;

  constructor({ run, seq, inboxSeq, inbox }: Pick<ClaimedExecution, 'run' | 'seq' | 'inboxSeq' | 'inbox'>) {
    this.#durable = run;
    this.#run = run;
    this.seq = seq;
    this.inboxSeq = inboxSeq;
    this.#inbox = new UnappliedInbox(inbox);
  }

  /** The run with everything applied so far. */
  get run(): Run {
    return this.#run;
  }

  get durable(): Run {
    return this.#durable;
  }

  /** The transitions since the durable state. */
  get batch(): PendingBatch {
    return this.#batch;
  }

  /** The due time that the latest checkpoint set, if that checkpoint parked the execution. */
  get parkedUntil(): number | undefined {
    return this.#parkedUntil;
  }

  /** The reason of the quarantine; undefined without one. */
  get quarantine(): string | undefined {
    return this.#quarantine;
  }

  /** Adds an event that comes before the inbox. */
  addFirst(event: Event): void {
    this.#first.push(event);
  }

  /** Adds an event that comes after the inbox. */
  add(event: Event): void {
    this.#events.push(event);
  }

  /** Begins with a transition that is already durable. */
  beginDurable(batch: PendingBatch): void {
    this.#batch = batch;
    // An insert that left nothing to do was the parking checkpoint, too.
    if (canPark(this.#run.state)) this.#parkedUntil = dueAt(this.#run.state) ?? undefined;
  }

  takeFirst(): Event | undefined {
    return this.#first.shift();
  }

  take(): Event | undefined {
    return this.#events.shift();
  }

  /** Whether an event outside the inbox waits. */
  get hasEvents(): boolean {
    return this.#first.length > 0 || this.#events.length > 0;
  }

  /** The next inbox row to apply. A quarantine leaves the inbox for a later retry of the execution. */
  nextRow(): InboxRow | undefined {
    return this.#quarantine === undefined ? this.#inbox.next(this.#run.state) : undefined;
  }

  takeRow(row: InboxRow): void {
    this.#inbox.take(row);
  }

  /** Replaces the inbox rows with those read up to `inboxSeq`. */
  readInbox(inboxSeq: number, rows: readonly InboxRow[]): void {
    this.inboxSeq = inboxSeq;
    this.#inbox.read(rows);
  }

  /** Applies a `prepared` event. It need not be durable and does not require a checkpoint. */
  prepared(event: Extract<Event, { type: 'prepared' }>): void {
    this.#run = { ...this.#run, state: prepared(this.#run.state, event) };
    this.#journal.push(event);
  }

  /** Adds the transition of `event`. */
  applied(event: Event, transition: Transition): void {
    const run = this.#run;
    this.#run = { ...run, state: transition.state, outputs: transition.outputs };
    this.#journal.push(event);
    this.#batch.add(transition, run.state);
    if (!isIdling(event) || (event.type === 'timer' && transition.steps.length > 0)) this.#batch.progress = true;
  }

  /** Adds outputs that were read back. Call it only while nothing is pending, so that durable and present run have the same outputs. */
  restored(restore: Restore): void {
    const outputs = restore(this.#run.outputs);
    this.#durable = { ...this.#durable, outputs };
    this.#run = { ...this.#run, outputs };
  }

  /** Makes the next checkpoint set the count of claims without progress. */
  recount(claims: number): void {
    this.#batch.dirty = true;
    this.#batch.claims = claims;
  }

  /** The checkpoint that makes the run durable, and tells other executions what `tells` says. */
  checkpoint(id: string, claim: string, tells: readonly Tell[]): Checkpoint {
    const { state } = this.#run;
    this.#parkedUntil = canPark(state) ? (dueAt(state) ?? undefined) : undefined;
    const at = { id, claim, seq: this.seq, inboxSeq: this.inboxSeq };
    return this.#batch.checkpoint(at, this.#durable.state, state, tells);
  }

  /** Notes that the checkpoint is durable. `run` is the run with trimmed outputs. The batch stays until {@link Progress.takeBatch}. */
  written(run: Run): void {
    this.seq++;
    this.#run = run;
    this.#durable = run;
    this.#journal = [];
  }

  takeBatch(): PendingBatch {
    const batch = this.#batch;
    this.#batch = new PendingBatch();
    return batch;
  }

  /** The commands of a batch that has nothing to write. */
  takeCommands(): readonly Command[] {
    const { commands } = this.#batch;
    if (commands.length > 0) this.#batch = new PendingBatch();
    return commands;
  }

  /** Drops events that changed nothing from the journal. */
  trimJournal(): void {
    if (this.#journal.length > 0) this.#journal = this.#journal.filter(({ type }) => type === 'prepared');
  }

  /** Returns to the durable state and queues the journal again, after the inbox events that it had not seen. */
  rebase(inbox: readonly InboxRow[]): void {
    const journal = this.#journal;
    this.#forget();
    this.#parkedUntil = undefined;
    const { first, again } = replayed(journal);
    this.#first.unshift(...first);
    this.#inbox.giveBack(journal);
    this.#inbox.read(inbox);
    this.#events.unshift(...again);
  }

  /** Returns to the durable state, to which only the quarantine is then applied. */
  quarantined(description: string): void {
    this.#quarantine = description;
    this.#forget();
    this.#first = [{ type: 'quarantined', description }];
    this.#events = [];
    this.#inbox.read([]);
  }

  #forget(): void {
    this.#run = this.#durable;
    this.#journal = [];
    this.#batch = new PendingBatch();
  }
}
