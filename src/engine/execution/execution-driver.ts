import type { Run } from '../../core/apply.ts';
import { isSettled } from '../../core/delivery.ts';
import { canPark } from '../../core/due.ts';
import type { Event } from '../../core/event.ts';
import { type CheckpointResult, StoreUnavailable } from '../../ports/store.ts';
import type { CallAnswered } from '../call/call-runner.ts';
import type { Lease } from '../worker/lease.ts';
import type { Sink } from '../write/coalescer.ts';
import { CallRight } from './call-right.ts';
import { Confirmation, type Confirmed } from './confirmation.ts';
import type { ClaimedExecution, DriverOwner, DriverParts, Ending } from './driver-contract.ts';
import { assertModeChange, type DriverMode } from './driver-modes.ts';
import type { Wakeable } from './driver-timers.ts';
import { EngineFaults } from './engine-faults.ts';
import { EventApplier } from './progress/event-applier.ts';
import { HeldOutputs, type OutputsHost } from './held-outputs.ts';
import { type InboxHost, InboxReader } from './inbox-reader.ts';
import type { Permission } from '../call/permission.ts';
import { type OutgoingCallsHost, OutgoingCalls } from './outgoing-calls.ts';
import { isRunnable, nextTimer, type PendingBatch } from './progress/pending-batch.ts';
import { PoisonCount } from './poison-count.ts';
import { Progress } from './progress/progress.ts';
import type { Restore } from './restored-outputs.ts';
import { reportSignals } from './signal-report.ts';

/** Rough size of a checkpoint without bodies. */
const baseBytes = 2048;

/**
 * Drives one execution that this process holds: event → `apply` → checkpoint → commands, until the execution parks, ends, or is released.
 * {@link DriverMode} describes its modes.
 *
 * Guarantees: a call goes out only after its checkpoint is durable, and only while the lease holds. After a lapse of the lease the driver
 * makes no call and begins nothing new before the store has confirmed the execution. It offers every answer to the store. It parks, ends,
 * fails or compensates an execution only if the checkpoint finds no unseen event in the inbox. When the execution is fenced, the driver
 * discards it and releases its id under the token of the claim; it never acknowledges the id.
 *
 * What wakes it: events ({@link ExecutionDriver.post}), pokes, answers of calls and of the store, timers. What stops it: any
 * {@link Ending}.
 */
export class ExecutionDriver
  implements Sink<CheckpointResult>, OutgoingCallsHost, OutputsHost, InboxHost, Confirmed, Wakeable
{
  readonly lease: Lease;
  readonly #parts: DriverParts;
  readonly #owner: DriverOwner;
  readonly #execution: ClaimedExecution;
  #mode: DriverMode = 'idle';
  readonly #progress: Progress;
  readonly #poison: PoisonCount;
  readonly #calls: OutgoingCalls;
  readonly #outputs: HeldOutputs;
  readonly #inbox: InboxReader;
  readonly #right: CallRight;
  readonly #confirmation: Confirmation;
  readonly #applier: EventApplier;
  readonly #faults: EngineFaults;
  /** Bytes of answers since the latest checkpoint. */
  #bytes = 0;
  /** Whether the driver has tried to advance the execution since the latest change; a second try would have no effect. */
  #tried = false;
  /** Actions to call once the driver is idle. */
  #deferred: (() => void)[] = [];

  constructor(parts: DriverParts, owner: DriverOwner, execution: ClaimedExecution) {
    this.#parts = parts;
    this.#owner = owner;
    this.#execution = execution;
    this.lease = execution.lease;
    this.#progress = new Progress(execution);
    this.#poison = new PoisonCount(parts.clock, execution, () => this.whenIdle(() => this.#progress.recount(0)));
    this.#calls = new OutgoingCalls(parts, this, execution);
    this.#outputs = new HeldOutputs(parts, this, execution);
    this.#inbox = new InboxReader(parts.reads, this.#progress, this);
    this.#right = new CallRight(parts, execution);
    this.#confirmation = new Confirmation(parts.askClaim, this, this.#progress, this.#inbox);
    this.#faults = new EngineFaults(parts, execution);
    this.#applier = new EventApplier(parts, execution, {
      progress: this.#progress,
      outputs: this.#outputs,
      calls: this.#calls,
      right: this.#right,
      owner,
    });
  }

  /** The execution's id. */
  get id(): string {
    return this.lease.id;
  }

  get run(): Run {
    return this.#progress.run;
  }

  /** The current use of the execution's place in this process. */
  get use(): 'calling' | 'host' | 'store' | 'other' {
    return this.#calls.use ?? (this.#mode === 'committing' || this.#inbox.isReading ? 'store' : 'other');
  }

  /** Begins after a load: applies `first` before the inbox and `then` after it. */
  begin(first: readonly Event[], then: readonly Event[]): void {
    for (const event of first) this.#progress.addFirst(event);
    for (const event of then) this.#progress.add(event);
    this.#poison.begin();
    this.#pump();
  }

  /** Begins with a transition that is already durable, such as that of an insert. */
  beginDurable(batch: PendingBatch): void {
    this.#applier.beginDurable();
    this.#progress.beginDurable(batch);
    this.#afterCommit();
  }

  /** Reports that the inbox may have a new event. Returns false if the driver has ended and cannot read it. */
  poke(): boolean {
    if (this.#mode === 'ended') return false;
    this.#inbox.markStale();
    // A change of an ended execution bypasses the inbox and fences this worker, so only the store knows of it.
    if (this.run.state.end !== undefined) this.whenIdle(() => this.#confirmation.ask());
    this.#pump();
    return true;
  }

  /** Reports a change of the right to make calls: the process drains, or the lease is lost, in doubt, or sure again. */
  nudge(): void {
    this.#pump();
  }

  /** Gives up the calls in flight, whose outcome is then unknown, and releases the execution once that is durable. */
  abandon(): void {
    if (this.#mode === 'ended') return;
    this.#calls.abortCalls();
    this.#right.giveUp();
    this.#progress.addFirst({ type: 'resumed' });
    this.#pump();
  }

  /** Adds an event. After the end of the driver it does nothing and returns false. */
  post(event: Event): boolean {
    if (this.#mode === 'ended') return false;
    this.#tried = false;
    this.#progress.add(event);
    this.#pump();
    return true;
  }

  timeHasCome(): void {
    this.post({ type: 'timer' });
  }

  prepared(event: Extract<Event, { type: 'prepared' }>): void {
    this.#progress.prepared(event);
  }

  answered(answer: CallAnswered): void {
    this.#bytes += answer.bytes;
    this.#outputs.grew(answer.bytes);
    this.post(answer.event);
  }

  mayCall(): Permission {
    return this.#right.ask();
  }

  restored(restore: Restore): void {
    this.whenIdle(() => {
      this.#progress.restored(restore);
      this.post({ type: 'continued' });
    });
  }

  whenIdle(action: () => void): void {
    if (this.#mode === 'ended') return;
    this.#deferred.push(action);
    this.#pump();
  }

  confirmed(): void {
    this.#tried = false;
    this.#calls.again();
  }

  displaced(): void {
    this.#parts.telemetry.fenced('lapse');
    this.#end({ kind: 'released' });
  }

  settled(result: CheckpointResult): void {
    if (this.#mode !== 'committing') return;
    this.#enter('idle');
    try {
      this.#take(result);
    } catch (error) {
      this.fault(error);
    }
  }

  #take(result: CheckpointResult): void {
    const progress = this.#progress;
    switch (result.kind) {
      case 'written':
        progress.written(this.#outputs.trimmed(progress.run));
        this.#poison.written(progress.batch.progress, progress.batch.claims);
        if (result.inboxSeq > progress.inboxSeq) this.#inbox.markStale();
        this.#afterCommit();
        return;
      case 'inbox':
        progress.inboxSeq = result.inboxSeq;
        // The engine may have failed on an event of that inbox, so new events do not revoke a quarantine.
        if (progress.quarantine === undefined) progress.rebase(result.inbox);
        else progress.quarantined(progress.quarantine);
        this.#pump();
        return;
      case 'fenced':
        this.#parts.telemetry.fenced('checkpoint');
        this.#end({ kind: 'released' });
        return;
      case 'invalid':
        this.fault(new Error(`The store refused the data: ${result.message}`));
    }
  }

  failed(error: unknown): void {
    if (this.#mode !== 'committing') return;
    this.#enter('idle');
    this.fault(error);
  }

  /** Handles an engine fault on this execution: pauses and retries; after too many faults it quarantines the execution. */
  fault(error: unknown): void {
    if (this.#mode === 'ended') {
      this.#faults.afterEnd(error);
      return;
    }
    if (error instanceof StoreUnavailable) {
      // Reads report an outage only while the process stops. The execution is not at fault; the next owner continues it.
      this.#end({ kind: 'released' });
      return;
    }
    if (this.#mode === 'committing') {
      // The result of the checkpoint under way determines the state from which the driver continues.
      this.#deferred.push(() => this.fault(error));
      return;
    }
    const message = this.#faults.add(error);
    if (this.#faults.areHopeless) {
      this.#end({ kind: 'stuck' });
      return;
    }
    this.#enter('faulted');
    this.#faults.pause(() => this.#tryAgain(message));
  }

  /** The one place that changes the mode. @throws ForbiddenModeChange */
  #enter(mode: DriverMode): void {
    assertModeChange(this.#mode, mode);
    this.#mode = mode;
  }

  /** Applies waiting events, then writes, runs commands or rests. An idle driver moves only here. */
  #pump(): void {
    if (this.#mode !== 'idle') return;
    this.#inbox.read();
    try {
      this.#move();
    } catch (error) {
      this.fault(error);
    }
  }

  #move(): void {
    const progress = this.#progress;
    while (this.#deferred.length > 0 && this.#mode === 'idle') this.#deferred.shift()?.();
    if (this.#mode !== 'idle') return;
    const claims = this.#applier.hasMore ? this.#poison.countAgain() : undefined;
    if (claims === undefined) this.#applier.applyAll();
    else progress.recount(claims);
    if (progress.batch.dirty) {
      this.#commit();
      return;
    }
    if (this.#isPutOff()) return;
    progress.trimJournal();
    this.#rest();
  }

  /** Defers events to another turn of the event loop if the share of this one is spent. */
  #isPutOff(): boolean {
    const { share } = this.#parts;
    if (!share.isSpent || !this.#applier.hasMore) return false;
    this.#enter('putOff');
    share.later(() => {
      if (this.#mode !== 'putOff') return;
      this.#enter('idle');
      this.#pump();
    });
    return true;
  }

  #commit(): void {
    const tells = this.#calls.tells(this.#progress.batch);
    if (tells === undefined) return;
    const checkpoint = this.#progress.checkpoint(this.id, this.lease.claim, tells);
    this.#enter('committing');
    this.#tried = false;
    const bytes = baseBytes + this.#bytes;
    this.#bytes = 0;
    try {
      this.#parts.checkpoints.add(checkpoint, bytes, this);
    } catch (error) {
      this.failed(error);
    }
  }

  #afterCommit(): void {
    const { commands, signals, tells } = this.#progress.takeBatch();
    const { telemetry, watch } = this.#parts;
    try {
      reportSignals(telemetry, this.run, this.#execution, signals);
      watch.changed(this.id, this.run.state);
    } finally {
      // The checkpoint is durable, so that nothing else remembers these commands.
      this.#calls.run(commands, tells);
    }
    if (isSettled(this.run.state)) this.#end({ kind: 'over' });
    else this.#pump();
  }

  /** Parks, releases, or waits for answers and timers, because nothing is left to write. */
  #rest(): void {
    this.#calls.run(this.#progress.takeCommands());
    if (this.#mode !== 'idle') return;
    this.#outputs.seek();
    const { state } = this.run;
    const isOut = this.#inbox.isOpen || this.#calls.isOut || this.#outputs.isReading;
    if (!isOut && !this.#confirmation.isOpen && canPark(state)) {
      this.#park();
      return;
    }
    this.#confirmation.demand();
    const waits = isOut || this.#confirmation.isOpen;
    const now = Math.max(this.#parts.clock.now(), state.now);
    if ((!waits || isRunnable(state, now)) && !this.#tried && this.#applier.mayAdvance) {
      this.#tried = true;
      this.#progress.add({ type: 'timer' });
      this.#pump();
      return;
    }
    if (!waits) {
      if (this.#applier.mayAdvance) this.fault(new Error('Nothing can move, and nothing is awaited.'));
      else this.#end({ kind: 'released', run: this.#progress.durable, yields: !this.#right.isGivenUp });
      return;
    }
    this.#parts.timers.set(this, nextTimer(state) ?? 0, now);
  }

  #park(): void {
    const { parkedUntil, batch, run } = this.#progress;
    if (parkedUntil !== undefined) {
      this.#end({ kind: 'parked', dueAt: parkedUntil, run });
      return;
    }
    // A parking checkpoint moves the due time, which the take-over had set to now.
    batch.progress = true;
    this.#commit();
  }

  /** Retries after the pause of a fault; `message` is that of the fault. */
  #tryAgain(message: string): void {
    if (this.#mode !== 'faulted') return;
    this.#enter('idle');
    if (this.#faults.areTooMany) {
      // CORRUPTED with reason `engine`, from the durable state. The inbox stays as it is.
      this.#progress.quarantined(`The engine failed on this execution: ${message}`);
      this.#calls.abortCalls();
    } else {
      // The inbox rows already taken are no longer in memory and must be read again.
      this.#progress.inboxSeq = -1;
      this.#tried = false;
      this.#deferred.push(() => this.#calls.again());
      this.#inbox.markStale();
      this.#progress.rebase([]);
    }
    this.#pump();
  }

  #end(how: Ending): void {
    if (this.#mode === 'ended') return;
    this.#enter('ended');
    this.#faults.end();
    this.#poison.end();
    this.#outputs.end();
    this.#calls.end();
    this.#parts.timers.clear(this);
    this.#deferred = [];
    this.#owner.ended(this.lease, how);
  }
}
