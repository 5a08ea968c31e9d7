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
import { assertModeChange, type DriverMode, ForbiddenModeChange } from './driver-modes.ts';
import type { Wakeable } from './driver-timers.ts';
import { EngineFaults } from './engine-faults.ts';
import { EventApplier } from './progress/event-applier.ts';
import { HeldOutputs, type OutputsHost } from './held-outputs.ts';
import { type InboxHost, InboxReader } from './inbox-reader.ts';
import { type OutgoingCallsHost, OutgoingCalls, type Permission } from './outgoing-calls.ts';
import { isRunnable, nextTimer, type PendingBatch } from './progress/pending-batch.ts';
import { PoisonCount } from './poison-count.ts';
import { Progress } from './progress/progress.ts';
import type { Restore } from './restored-outputs.ts';
import { reportSignals } from './signal-report.ts';

/** Rough size of a checkpoint without bodies. */
const baseBytes = 2048;

/**
 * Drives one execution that this process holds: event → `apply` → checkpoint → commands, until the execution parks, ends, or is handed
 * back. See {@link DriverMode} for what it does meanwhile.
 *
 * Guarantees: a call goes out only after its checkpoint is durable, and only while the lease holds; after a lapse of the lease no call goes
 * out, and nothing new begins, before the store has confirmed the execution; an answer is always offered to the store; an execution is
 * parked, ended, failed or turned to compensation only if the inbox that the checkpoint compares holds no unseen event. A fenced execution
 * is thrown away and its id released under its own token, never just acknowledged.
 *
 * What wakes it: events ({@link ExecutionDriver.post}), pokes, answers of calls and of the store, timers. What stops it: an end of any
 * {@link Ending} kind.
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
  /** Whether the execution has been let go on since anything changed: once is enough. */
  #tried = false;
  /** Actions that wait until the driver is idle. */
  #deferred: (() => void)[] = [];

  constructor(parts: DriverParts, owner: DriverOwner, execution: ClaimedExecution) {
    this.#parts = parts;
    this.#owner = owner;
    this.#execution = execution;
    this.lease = execution.lease;
    this.#progress = new Progress(execution);
    this.#poison = new PoisonCount(parts.clock, execution, () => this.whenIdle(() => this.#progress.recount(0)));
    this.#calls = new OutgoingCalls(parts, this, execution.traceparent);
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

  /** What the execution uses its place in this process for. */
  get use(): 'calling' | 'host' | 'store' | 'other' {
    return this.#calls.use ?? (this.#mode === 'committing' || this.#inbox.isReading ? 'store' : 'other');
  }

  /** Begins after a load: `first` comes before the inbox, `then` after it. */
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

  /** Something from outside may be in the inbox. False when the driver has ended and cannot look any more. */
  poke(): boolean {
    if (this.#mode === 'ended') return false;
    this.#inbox.markStale();
    // An execution that is over is changed past the inbox, which fences this worker: the store knows.
    if (this.run.state.end !== undefined) this.whenIdle(() => this.#confirmation.ask());
    this.#pump();
    return true;
  }

  /** Whether calls may be made has changed: the process drains, or the lease is lost, in doubt, or sure again. */
  nudge(): void {
    this.#pump();
  }

  /** Gives up the calls in flight, whose outcome is then unknown, and hands the execution back as soon as that is durable. */
  abandon(): void {
    if (this.#mode === 'ended') return;
    this.#calls.abortCalls();
    this.#right.giveUp();
    this.#progress.addFirst({ type: 'resumed' });
    this.#pump();
  }

  /** Something happened. Does nothing, and answers false, once the driver has ended. */
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
        // The engine may have failed on an event of that inbox, so a quarantine stays whatever came.
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

  /** The engine failed on this execution: the driver pauses and tries again; after too many faults it quarantines the execution. */
  fault(error: unknown): void {
    if (this.#mode === 'ended') {
      // A read that fails after the end does not matter; a bug of the driver does.
      if (error instanceof ForbiddenModeChange) this.#faults.log(error);
      return;
    }
    if (error instanceof StoreUnavailable) {
      // Reads report an outage only while the process stops; it says nothing about the execution. The next owner goes on.
      this.#end({ kind: 'released' });
      return;
    }
    if (this.#mode === 'committing') {
      // The next checkpoint builds on the answer to the one under way.
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

  /** Applies what waits, then writes, acts or rests. The one place where an idle driver moves. */
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

  /** Leaves events for another turn of the event loop, when this one has done its share. */
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
    const checkpoint = this.#progress.checkpoint(this.id, this.lease.claim);
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
    const { commands, signals } = this.#progress.takeBatch();
    const { telemetry, watch } = this.#parts;
    const { run } = this;
    reportSignals(telemetry, run, this.#execution, signals);
    watch.changed(this.id, run.state);
    this.#calls.run(commands);
    if (isSettled(this.run.state)) this.#end({ kind: 'over' });
    else this.#pump();
  }

  /** Nothing is left to write: parks, hands back, or waits for answers and timers. */
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
    const next = nextTimer(state) ?? 0;
    if (next <= now) this.#parts.timers.clear(this);
    else this.#parts.timers.set(this, next);
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

  /** The pause after a fault is over; `message` is the fault's. */
  #tryAgain(message: string): void {
    if (this.#mode !== 'faulted') return;
    this.#enter('idle');
    if (this.#faults.areTooMany) {
      // CORRUPTED with reason `engine`, as the execution is in the store; its inbox stays as it is.
      this.#progress.quarantined(`The engine failed on this execution: ${message}`);
      this.#calls.abortCalls();
    } else {
      // The inbox rows that were taken are no longer in memory: they are read again.
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
    this.#parts.timers.clear(this);
    this.#deferred = [];
    this.#owner.ended(this.lease, how);
  }
}
