/**
 * Drives one execution that this process holds: event → `apply` → checkpoint → commands, until it parks, ends, or is handed back.
 *
 * Modes:
 * - `idle`: everything applied so far is durable (but for `prepared` events, which may be lost); events are applied as they come.
 * - `putOff`: this turn of the event loop has done its share (see `loop-share.ts`); events wait for the next one.
 * - `committing`: one checkpoint is under way; events wait.
 * - `faulted`: `apply` threw or the store refused the data; all since the durable state is tried again, four times, then it is quarantined.
 * - `ended`: handed back. Answers of calls still in flight mean nothing here any more. One that is over is kept until its hook is settled.
 *
 * Guarantees: a call goes out only after its checkpoint is durable, and only while the lease holds; after a lapse of the lease no call goes out, and nothing new begins,
 * before the store has confirmed the execution; an answer is always offered to the store; an execution is parked, ended, failed or turned to compensation only if the
 * inbox that the checkpoint compares holds no unseen event. A fenced execution is thrown away and its id released under its own token, never just acknowledged.
 */
import { prepared, type Run } from '../../core/apply.ts';
import { isSettled } from '../../core/delivery.ts';
import { canPark, dueAt } from '../../core/due.ts';
import type { Event } from '../../core/event.ts';
import { memorySize } from '../../core/value/json.ts';
import type { Timer } from '../../ports/clock.ts';
import { type CheckpointResult, type InboxEvent, type InboxRow, StoreUnavailable } from '../../ports/store.ts';
import { backoffMillis } from '../write/availability.ts';
import { CallRight } from './call-right.ts';
import type { CallAnswered } from '../call/call-runner.ts';
import { Confirmation, type Confirmed } from './confirmation.ts';
import type { Sink } from '../write/coalescer.ts';
import type { DriverOwner, DriverParts, Ending, Holding } from './driver-contract.ts';
import type { Wakeable } from './driver-timers.ts';
import { type ErrandHost, Errands, type Permission } from './outgoing-calls.ts';
import { HeldOutputs, type OutputsHost } from './held-outputs.ts';
import type { Hold } from '../worker/lease.ts';
import { InboxInHand, isIdling, replayed } from './inbox-order.ts';
import { isRunnable, nextTimer, PendingBatch } from './pending-batch.ts';
import { Probation } from './poison-count.ts';
import type { Restore } from './restored-outputs.ts';
import { reportFault, reportSignals } from './signal-report.ts';
import { Turn } from './step-budget.ts';

const maxFaults = 5;
/** Rough size of a checkpoint without bodies. */
const baseBytes = 2048;

/** See the file header. */
export class ExecutionDriver implements Sink<CheckpointResult>, ErrandHost, OutputsHost, Confirmed, Wakeable {
  readonly hold: Hold;
  readonly #parts: DriverParts;
  readonly #owner: DriverOwner;
  readonly #holding: Holding;
  #mode: 'idle' | 'putOff' | 'committing' | 'faulted' | 'ended' = 'idle';
  /** As the store has it. */
  #durable: Run;
  /** As it is by now. */
  #run: Run;
  /** Of the store's row, as last known. */
  seq: number;
  inboxSeq: number;
  /** Events applied since the durable state, to be applied again should the checkpoint be refused. */
  #journal: Event[] = [];
  #batch = new PendingBatch();
  /** Events that come before anything else. */
  #first: Event[] = [];
  #events: Event[] = [];
  readonly #inbox: InboxInHand;
  #inboxStale = false;
  #readingInbox = false;
  readonly #errands: Errands;
  readonly #outputs: HeldOutputs;
  readonly #confirmation: Confirmation;
  #bytes = 0;
  readonly #turn: Turn;
  #faults = 0;
  #faultTimer: Timer | undefined;
  readonly #probation: Probation;
  #quarantined: string | undefined;
  #parking: number | undefined;
  /** Whether letting it go on has been tried since anything changed: once is enough. */
  #tried = false;
  readonly #right: CallRight;
  /** What waits for the checkpoint under way. */
  #deferred: (() => void)[] = [];

  constructor(parts: DriverParts, owner: DriverOwner, holding: Holding) {
    this.#parts = parts;
    this.#owner = owner;
    this.#holding = holding;
    this.hold = holding.hold;
    this.#durable = holding.run;
    this.#run = holding.run;
    this.#turn = new Turn(parts.maxSteps, holding.run.state.totalVisits);
    this.seq = holding.seq;
    this.inboxSeq = holding.inboxSeq;
    this.#inbox = new InboxInHand(holding.inbox);
    this.#probation = new Probation(parts.clock, holding, () => this.whenIdle(() => this.#recount(0)));
    this.#errands = new Errands(parts, this, holding.traceparent);
    this.#outputs = new HeldOutputs(parts, this, holding);
    this.#right = new CallRight(parts, holding);
    this.#confirmation = new Confirmation(parts.askClaim, this);
  }

  /** The execution's id. */
  get id(): string {
    return this.hold.id;
  }

  /** Begins after a load: `first` comes before the inbox, `then` after it. */
  begin(first: readonly Event[], then: readonly Event[]): void {
    this.#first.push(...first);
    this.#events.push(...then);
    this.#probation.begin();
    this.#pump();
  }

  /** Lets the store count as many claims in vain with the next checkpoint. */
  #recount(claims: number): void {
    Object.assign(this.#batch, { dirty: true, claims });
  }

  /** Begins with a transition that is durable already, as that of an insert. */
  beginDurable(batch: PendingBatch): void {
    this.#batch = batch;
    this.#turn.begin(0);
    // The insert was the parking checkpoint where it left nothing to do.
    if (canPark(this.#run.state)) this.#parking = dueAt(this.#run.state) ?? undefined;
    this.#afterCommit();
  }

  /** Something from outside may be in the inbox. False when the driver is done and cannot look any more. */
  poke(): boolean {
    if (this.#mode === 'ended') return false;
    this.#inboxStale = true;
    // An execution that is over is changed past the inbox, which fences this worker: the store knows.
    if (this.#run.state.end !== undefined) this.whenIdle(() => this.#confirmation.ask());
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
    this.#errands.abortCalls();
    this.#right.giveUp();
    this.#first.push({ type: 'resumed' });
    this.#pump();
  }

  timeHasCome(): void {
    this.post({ type: 'timer' });
  }

  get run(): Run {
    return this.#run;
  }

  /** Applies a `prepared` event at once: it need not be durable, and changes nothing that a checkpoint waits for. */
  prepared(event: Extract<Event, { type: 'prepared' }>): void {
    this.#run = { ...this.#run, state: prepared(this.#run.state, event) };
    this.#journal.push(event);
  }

  answered(answer: CallAnswered): void {
    this.#bytes += answer.bytes;
    this.#outputs.grew(answer.bytes);
    this.post(answer.event);
  }

  restored(restore: Restore): void {
    this.whenIdle(() => {
      // Nothing is under way, so that what is durable and what is in hand have the same outputs.
      const outputs = restore(this.#run.outputs);
      this.#durable = { ...this.#durable, outputs };
      this.#run = { ...this.#run, outputs };
      this.post({ type: 'continued' });
    });
  }

  whenIdle(action: () => void): void {
    if (this.#mode === 'ended') return;
    this.#deferred.push(action);
    this.#pump();
  }

  mayCall(): Permission {
    return this.#right.ask();
  }

  /** What it uses its place in this process for. */
  get use(): 'calling' | 'host' | 'store' | 'other' {
    return this.#errands.use ?? (this.#mode === 'committing' || this.#readingInbox ? 'store' : 'other');
  }

  confirmed(): void {
    this.#tried = false;
    this.#errands.again();
  }

  missesEvents(): void {
    this.#inboxStale = true;
    this.#readInbox();
  }

  displaced(): void {
    this.#parts.telemetry.fenced('lapse');
    this.#end({ kind: 'released' });
  }

  settled(result: CheckpointResult): void {
    if (this.#mode !== 'committing') return;
    this.#mode = 'idle';
    switch (result.kind) {
      case 'written':
        this.seq++;
        this.#run = this.#outputs.trimmed(this.#run);
        this.#durable = this.#run;
        this.#journal = [];
        this.#probation.written(this.#batch.progress, this.#batch.claims);
        if (result.inboxSeq > this.inboxSeq) this.#inboxStale = true;
        this.#afterCommit();
        return;
      case 'inbox':
        this.inboxSeq = result.inboxSeq;
        // What the engine failed on may be in that inbox: a quarantine stands whatever came.
        if (this.#quarantined === undefined) this.#rebase(result.inbox);
        else this.quarantine(this.#quarantined);
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
    this.#mode = 'idle';
    this.fault(error);
  }

  /** Something happened. Does nothing, and answers false, once it has ended. */
  post(event: Event): boolean {
    if (this.#mode === 'ended') return false;
    this.#tried = false;
    this.#events.push(event);
    this.#pump();
    return true;
  }

  /** Applies what waits, then writes, acts or rests. The one place where an idle driver moves. */
  #pump(): void {
    if (this.#mode !== 'idle') return;
    if (this.#inboxStale) this.#readInbox();
    try {
      while (this.#deferred.length > 0 && this.#mode === 'idle') this.#deferred.shift()?.();
      if (this.#mode !== 'idle') return;
      const accused = this.#hasMore() ? this.#probation.accuse() : undefined;
      if (accused === undefined) this.#absorb();
      else this.#recount(accused);
    } catch (error) {
      this.fault(error);
      return;
    }
    if (this.#batch.dirty) {
      this.#commit();
      return;
    }
    if (this.#isPutOff()) return;
    // What changed nothing need not be applied again.
    if (this.#journal.length > 0) this.#journal = this.#journal.filter(({ type }) => type === 'prepared');
    this.#rest();
  }

  #absorb(): void {
    while (!this.#parts.share.isSpent) {
      const event = this.#first.shift() ?? this.#readyInbox() ?? this.#events.shift();
      if (event === undefined) return;
      // Nothing new begins before all that is known has been applied: a cancel may be among it, or the end of its time.
      this.#apply(event, !this.#hasMore());
    }
  }

  /** Whether an event waits that can be applied now. */
  #hasMore(): boolean {
    return this.#first.length > 0 || this.#events.length > 0 || this.#nextInInbox() !== undefined;
  }

  /** Leaves events for another turn of the event loop, when this one has done its share. */
  #isPutOff(): boolean {
    if (!this.#parts.share.isSpent || !this.#hasMore()) return false;
    this.#mode = 'putOff';
    this.#parts.share.later(() => {
      if (this.#mode !== 'putOff') return;
      this.#mode = 'idle';
      this.#pump();
    });
    return true;
  }

  #nextInInbox(): InboxRow | undefined {
    // What was accepted is kept for the retry that goes on from a quarantine.
    const row = this.#quarantined === undefined ? this.#inbox.next(this.#run.state) : undefined;
    return row !== undefined && this.#outputs.areAtHand(row) ? row : undefined;
  }

  /** Takes it. */
  #readyInbox(): InboxEvent | undefined {
    const row = this.#nextInInbox();
    if (row === undefined) return undefined;
    this.#inbox.take(row);
    if ('body' in row.event) this.#outputs.grew(memorySize(row.event.body));
    return this.#parts.calls.received(row.event.inboxId === row.id ? row.event : { ...row.event, inboxId: row.id });
  }

  #apply(event: Event, isLast: boolean): void {
    if (event.type === 'undoFound') this.#errands.undoApplied(event.tokenId);
    const run = this.#run;
    const now = Math.max(this.#parts.clock.now(), this.#holding.dueAt);
    const env = this.#parts.env.at(now, isLast && this.#mayAdvance());
    const transition = this.#parts.share.apply(run, event, env);
    this.#run = { ...run, state: transition.state, outputs: transition.outputs };
    this.#journal.push(event);
    this.#batch.add(transition, run.state);
    if (!isIdling(event) || (event.type === 'timer' && transition.steps.length > 0)) this.#batch.progress = true;
    for (const row of transition.steps) if (row.phase === 'DOWN') this.#turn.undone();
  }

  #mayAdvance(): boolean {
    if (this.#right.isGivenUp || this.#owner.draining || this.hold.standing !== 'sure') return false;
    return this.#turn.mayGoOn(this.#run.state.totalVisits, this.#owner);
  }

  #commit(): void {
    const { id, hold, seq, inboxSeq } = this;
    const { state } = this.#run;
    this.#parking = canPark(state) ? (dueAt(state) ?? undefined) : undefined;
    const checkpoint = this.#batch.checkpoint({ id, claim: hold.claim, seq, inboxSeq }, this.#durable.state, state);
    this.#mode = 'committing';
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
    const { commands, signals } = this.#batch;
    const { telemetry, watch } = this.#parts;
    this.#batch = new PendingBatch();
    reportSignals(telemetry, this.#run, this.#holding, signals);
    watch.changed(this.id, this.#run.state);
    this.#errands.run(commands);
    if (isSettled(this.#run.state)) this.#end({ kind: 'over' });
    else this.#pump();
  }

  /** Nothing is left to write: parks, hands back, or waits for answers and timers. */
  #rest(): void {
    const { commands } = this.#batch;
    if (commands.length > 0) this.#batch = new PendingBatch();
    this.#errands.run(commands);
    if (this.#mode !== 'idle') return;
    this.#outputs.seek();
    const { state } = this.#run;
    const isOut = this.#readingInbox || this.#inboxStale || this.#errands.isOut || this.#outputs.isReading;
    if (!isOut && !this.#confirmation.isOpen && canPark(state)) {
      // A parking checkpoint moves the due time that taking over had set to now.
      if (this.#parking === undefined) {
        this.#batch.progress = true;
        this.#commit();
      } else this.#end({ kind: 'parked', dueAt: this.#parking, run: this.#run });
      return;
    }
    this.#confirmation.demand();
    const waits = isOut || this.#confirmation.isOpen;
    const now = Math.max(this.#parts.clock.now(), state.now);
    if ((!waits || isRunnable(state, now)) && !this.#tried && this.#mayAdvance()) {
      this.#tried = true;
      this.#events.push({ type: 'timer' });
      this.#pump();
      return;
    }
    if (!waits) {
      if (this.#mayAdvance()) this.fault(new Error('Nothing can move, and nothing is waited for.'));
      else this.#end({ kind: 'released', run: this.#durable, yields: !this.#right.isGivenUp });
      return;
    }
    const next = nextTimer(state) ?? 0;
    if (next <= now) this.#parts.timers.clear(this);
    else this.#parts.timers.set(this, next);
  }

  #readInbox(): void {
    if (this.#readingInbox) return;
    this.#readingInbox = true;
    this.#inboxStale = false;
    this.#parts.reads.readInbox(this.id).then(
      ({ inboxSeq, inbox }) => {
        this.#readingInbox = false;
        this.whenIdle(() => {
          if (inboxSeq <= this.inboxSeq) return;
          this.inboxSeq = inboxSeq;
          this.#inbox.read(inbox);
        });
      },
      (error: unknown) => {
        this.#readingInbox = false;
        this.fault(error);
      },
    );
  }

  /** Applies everything since the durable state again, after the events of the inbox that it had not seen. */
  #rebase(inbox: readonly InboxRow[]): void {
    const journal = this.#journal;
    this.#forget();
    this.#parking = undefined;
    const { first, again } = replayed(journal);
    this.#first.unshift(...first);
    this.#inbox.giveBack(journal);
    this.#inbox.read(inbox);
    this.#events.unshift(...again);
    this.#pump();
  }

  /** Everything since the durable state. */
  #forget(): void {
    this.#run = this.#durable;
    this.#journal = [];
    this.#batch = new PendingBatch();
  }

  /** The engine failed on this execution: pauses and tries again, and quarantines it in the end. */
  fault(error: unknown): void {
    if (this.#mode === 'ended') return;
    if (error instanceof StoreUnavailable) {
      // Only a process that ends hears of the store's trouble; it says nothing about the execution. The next owner goes on.
      this.#end({ kind: 'released' });
      return;
    }
    if (this.#mode === 'committing') {
      // Only the answer to what is under way says on what the next checkpoint builds.
      this.#deferred.push(() => this.fault(error));
      return;
    }
    this.#faults++;
    const message = reportFault(this.#parts.telemetry, this.#holding, this.#faults, error);
    if (this.#faults > maxFaults + 1) {
      this.#end({ kind: 'stuck' });
      return;
    }
    this.#mode = 'faulted';
    this.#faultTimer?.cancel();
    this.#faultTimer = this.#parts.clock.after(backoffMillis(this.#faults, 0.5), () => {
      this.#faultTimer = undefined;
      if (this.#mode !== 'faulted') return;
      this.#mode = 'idle';
      if (this.#faults > maxFaults) this.quarantine(`The engine failed on this execution: ${message}`);
      else {
        // The rows that were taken are not at hand any more: they are read again.
        this.inboxSeq = -1;
        this.#tried = false;
        this.#deferred.push(() => this.#errands.again());
        this.#inboxStale = true;
        this.#rebase([]);
      }
    });
  }

  /** Ends the execution as it stands in the store, CORRUPTED with reason `engine`; its inbox stays as it is. */
  quarantine(description: string): void {
    this.#quarantined = description;
    this.#forget();
    this.#first = [{ type: 'quarantined', description }];
    this.#events = [];
    this.#inbox.read([]);
    this.#errands.abortCalls();
    this.#pump();
  }

  #end(how: Ending): void {
    if (this.#mode === 'ended') return;
    this.#mode = 'ended';
    this.#faultTimer?.cancel();
    this.#probation.end();
    this.#outputs.end();
    this.#parts.timers.clear(this);
    this.#deferred = [];
    this.#owner.ended(this.hold, how);
  }
}
