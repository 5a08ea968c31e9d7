/**
 * The engine of one process: accepts executions, drives those that are due, and tells who waits for them.
 *
 * Everything comes in through ports, so that a simulator can run several engines in one thread over simulated ones. The
 * store and the HTTP caller belong to whoever made them: they are opened before `start` and closed after `stop`.
 */
import type { Run } from '../core/apply.ts';
import { slotOf } from '../core/slot.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { HttpCaller } from '../ports/http-caller.ts';
import { processOf, type Queue, type StoredItem } from '../ports/queue.ts';
import type { Checkpoint, CheckpointResult, ClaimRow, Store, SubmitResult } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { Availability } from './write/availability.ts';
import { BoundedMap } from './bounded-map.ts';
import { CallRunner } from './call/call-runner.ts';
import type { CallbackIssuer, Vault } from './call/prepared-call.ts';
import { ClaimLoop } from './worker/claim-loop.ts';
import { Coalescer } from './write/coalescer.ts';
import { CoreEnvironment } from './core-env.ts';
import type { Submission } from './write/submission.ts';
import { DriverTimers } from './execution/driver-timers.ts';
import type { CallMasker } from './call/exchange.ts';
import type { CallGate } from './call/gate/call-gate.ts';
import type { EngineLoad, Health, UnreadyReason } from './engine-state.ts';
import { renewLeases } from './worker/lease-keeper.ts';
import { Loader } from './worker/loader.ts';
import { LoopShare } from './loop-share.ts';
import { MemoryLedger } from './worker/memory-ledger.ts';
import { PatientReads } from './write/patient-reads.ts';
import { Periodic } from './periodic.ts';
import type { PlanCache } from './worker/plan-cache.ts';
import { ProcessWatch } from './process-watch.ts';
import { QueueHealth } from './queue/queue-health.ts';
import { QueueWriter } from './queue/queue-writer.ts';
import { reconcileMillis, Reconciler } from './worker/reconciler.ts';
import type { Pulse } from './service.ts';
import type { EngineSettings } from './settings.ts';
import { Submitter } from './write/submitter.ts';
import { WatchHub, type Watcher } from './watch-hub.ts';
import { WorkerPool } from './worker/worker-pool.ts';

/** What an engine stands on. */
export interface EngineParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: Store;
  readonly queue: Queue;
  readonly http: HttpCaller;
  readonly telemetry: Telemetry;
  readonly vault: Vault;
  readonly callbacks: CallbackIssuer;
  readonly masker: CallMasker;
  /** What keeps calls back; absent: nothing. Started and stopped with the engine. */
  readonly gate?: CallGate;
  /** Shared with whoever compiles definitions; see {@link PlanCache}. */
  readonly plans: PlanCache;
  /** False: accepts executions and drives none. */
  readonly runs: boolean;
  /** The version of this program, for the other processes to see. */
  readonly version: string;
  readonly settings: EngineSettings;
}

/** How to stop. */
export interface StopOptions {
  /** How long calls in flight may go on. */
  readonly drainTimeoutMillis: number;
  /** Stops serving requests, once everything is drained and flushed; requests are served until then. */
  readonly stopServing?: () => Promise<void>;
}

/**
 * What is said later than this of an execution that exists already may be out of date: another process may have it in hand by
 * then. The reconcile finds it.
 */
const ringPatienceMillis = 2_000;
/** Time for what was given up at the end of the drain to become durable. */
const flushGraceMillis = 2_000;
/** A store that is away is asked this often whether it is back, when nobody else asks. */
const probeMillis = 1_000;
/**
 * Leases are renewed after a third, and at least this often: a claim that its queue has lost must have been asserted again
 * before the rest of its shard is over (`assertMillis` in `ports/shard-queue.ts`), also by a process that works on it and
 * does not own the shard, so that it learns of no loss.
 */
const longestRenewalMillis = 2_000;
/** Ids minted until one falls into an own shard; with more processes than that some start elsewhere. */
const maxMintTries = 64;
const maxCommitRows = 200;
const maxCommitBytes = 4 * 1024 * 1024;

/** See the file header. */
export class Engine {
  /** Makes the environment of the core's transitions, also for those that are made elsewhere in this process. */
  readonly env: CoreEnvironment;
  /** What this process may do in one turn of the event loop. */
  readonly share: LoopShare;
  readonly plans: PlanCache;
  readonly #parts: EngineParts;
  readonly #availability: Availability;
  readonly #watch: WatchHub;
  readonly #reads: PatientReads;
  readonly #queueWriter: QueueWriter;
  readonly #checkpoints: Coalescer<Checkpoint, CheckpointResult>;
  readonly #processes: ProcessWatch;
  readonly #submitter: Submitter;
  readonly #pool: WorkerPool;
  readonly #memory: MemoryLedger;
  readonly #claims: ClaimLoop;
  readonly #reconciler: Reconciler;
  readonly #periodic: { readonly renew: Periodic; readonly reconcile: Periodic; readonly probe: Periodic };
  #started: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #hurryStop: (() => void) | undefined;

  constructor(parts: EngineParts) {
    const { clock, entropy, store, queue, telemetry, settings, plans } = parts;
    const { leaseMillis } = settings;
    this.#parts = parts;
    this.plans = plans;
    this.env = new CoreEnvironment(
      entropy,
      (name) => parts.vault.variable(name),
      (used) => parts.callbacks.keyFor(used),
      settings.limits,
    );
    const availability = new Availability({ clock, telemetry });
    this.#availability = availability;
    this.#watch = new WatchHub(settings.maxWatchers);
    const base = { clock, entropy, telemetry, availability, queueHealth: new QueueHealth({ clock, telemetry }) };
    this.#reads = new PatientReads({ ...base, store });
    this.#queueWriter = new QueueWriter({ ...base, queue });
    this.#checkpoints = new Coalescer(base, {
      operation: 'checkpoint',
      maxRows: maxCommitRows,
      maxBytes: maxCommitBytes,
      // Each worker has one at most, so they bound themselves.
      maxWaiting: Infinity,
      send: (batch) => store.checkpoint(batch),
      sent: (rows, millis) => telemetry.committed(rows, millis),
    });
    const claimRows = new Coalescer<string, ClaimRow | undefined>(base, {
      operation: 'readClaims',
      maxRows: maxCommitRows,
      maxBytes: Infinity,
      maxWaiting: Infinity,
      writes: false,
      send: async (ids) => {
        const rows = new Map((await store.readClaims(ids)).map((row) => [row.id, row]));
        return ids.map((id) => rows.get(id));
      },
    });
    const processId = queue.process;
    this.#processes = new ProcessWatch({
      ...base,
      store,
      process: { id: processId, podId: processOf(processId), version: parts.version, works: parts.runs },
      leaseMillis,
      availability,
    });
    this.share = new LoopShare(base, settings.limits);
    const { share } = this;
    const calls = new CallRunner({ ...base, ...parts, ...settings, meter: share });
    const parked = new BoundedMap<string, Run>(settings.parkedCacheSize);
    this.#memory = new MemoryLedger(clock, settings.maxInHandBytes, () => this.#claims.roomFreed());
    const memory = { memory: this.#memory, maxOutputBytes: settings.maxOutputBytes };
    const loader = new Loader({
      ...base,
      store,
      reads: this.#reads,
      plans,
      calls,
      parked,
      ...memory,
      checkpoints: this.#checkpoints,
      watch: this.#watch,
      live: () => this.#processes.live,
      patienceMillis: leaseMillis,
    });
    this.#pool = new WorkerPool({
      ...base,
      ...settings,
      queueWriter: this.#queueWriter,
      parked,
      driver: {
        clock,
        telemetry,
        checkpoints: this.#checkpoints,
        reads: this.#reads,
        calls,
        askClaim: (id) => claimRows.request(id, 0),
        timers: new DriverTimers(clock),
        watch: this.#watch,
        env: this.env,
        share,
        maxSteps: settings.maxStepsPerExecution,
        ...memory,
      },
      over: (id) => parts.gate?.ended(id),
      load: (hold, dueAt) => void loader.load(hold, dueAt, this.#pool),
      roomFreed: () => this.#claims.roomFreed(),
    });
    this.#submitter = new Submitter({
      ...base,
      store,
      queue,
      queueWriter: this.#queueWriter,
      env: this.env,
      share: this.share,
      plans,
      leaseMillis,
      maxWaiting: settings.maxWaitingSubmissions,
      patienceMillis: settings.submitPatienceMillis,
    });
    this.#claims = new ClaimLoop({
      ...base,
      queue,
      pool: this.#pool,
      batch: settings.claimBatch,
      leaseMillis,
      sweepMillis: settings.fullSweepMillis,
    });
    this.#reconciler = new Reconciler({
      ...base,
      store,
      queue,
      holds: (id) => this.#pool.has(id),
      isOtherLive: (id) => this.#isOtherLive(id),
    });
    const keeper = { ...base, queue, pool: this.#pool, leaseMillis };
    this.#periodic = {
      renew: new Periodic('renew', base, Math.min(leaseMillis / 3, longestRenewalMillis), () => renewLeases(keeper)),
      reconcile: new Periodic('reconcile', base, reconcileMillis, () => this.#reconciler.round()),
      probe: new Periodic('probe', base, probeMillis, () => this.#probe()),
    };
    availability.onReturn(() => {
      this.#claims.wake();
      this.#periodic.reconcile.hurry();
    });
  }

  /** Connects the queue, fills it from the store and begins to work. A second call waits for the first. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /**
   * Stops in order: no claims and no direct starts; executions come to rest and are handed back; at the end of the drain
   * time calls in flight are given up, their outcome unknown; what was written is flushed; requests stop; the queue is
   * left. A second call waits for the first.
   */
  stop(options: StopOptions): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  /** Ends the waiting of a stop that is under way: calls in flight are given up now. */
  force(): void {
    this.#hurryStop?.();
  }

  /**
   * Stores a new execution, then lets it run. Resolves when it is durable.
   *
   * @throws StoreUnavailable when the store did not answer for too long: the execution may exist all the same.
   * @throws Overloaded when too many wait.
   */
  submit(submission: Submission): Promise<SubmitResult> {
    const trouble = this.#availability.trouble;
    // Somebody has to find out whether it is back, but not everybody.
    if (trouble !== undefined && this.#submitter.waiting > maxCommitRows) return Promise.reject(trouble);
    const direct = this.#parts.runs && this.#stopping === undefined && this.#started !== undefined;
    return this.#submitter.submit(submission, direct ? this.#pool : undefined);
  }

  /**
   * An id for a new execution, of a shard that this process works on where it has one, and whose server answers: then it can
   * start here at once, and nobody else needs to be told.
   */
  mintId(now: number): string {
    const { queue, entropy, runs } = this.#parts;
    let id = entropy.executionId(now);
    if (!runs || queue.owned.shards.length === 0) return id;
    let own: string | undefined;
    for (let tries = 0; tries < maxMintTries; tries++) {
      const slot = slotOf(id);
      if (queue.reaches?.(slot) ?? queue.owns(slot)) return id;
      if (queue.owns(slot)) own ??= id;
      id = entropy.executionId(now);
    }
    return own ?? id;
  }

  /** Something has become due: a worker here that has it looks at once, else the queue knows. Never throws. */
  ring({ id, slot, dueAt, heldBy }: StoredItem): void {
    if (this.#pool.driverOf(id)?.poke() === true) return;
    const isOfAnother = heldBy !== undefined && this.#isOtherLive(heldBy);
    this.#queueWriter.ring({ id, slot, dueAt, ...(isOfAnother && { heldBy }) }, ringPatienceMillis);
  }

  /**
   * Calls `watcher` after every checkpoint of the execution that this process makes. The result ends that.
   *
   * @throws Overloaded when too many watch.
   */
  watch(id: string, watcher: Watcher): () => void {
    return this.#watch.watch(id, watcher);
  }

  /** An execution was changed by somebody else in this process; watchers are told to look. */
  notify(id: string, ord: number): void {
    this.#watch.tell({ id, ord });
  }

  /** The queue lost what it had: it is filled from the store at once. */
  rebuild(): void {
    this.#reconciler.forget();
    this.#periodic.reconcile.hurry();
  }

  /** Executions in hand, what they use the places of this process for, and what waits. */
  load(): EngineLoad {
    return {
      busy: this.#pool.busy,
      places: this.#pool.places,
      held: this.#pool.size,
      bytes: this.#memory.bytes,
      maxBytes: this.#memory.maxBytes,
      waitingSubmissions: this.#submitter.waiting,
      watchers: this.#watch.size,
    };
  }

  /** Whether a claim is that of another process that lives, by the store's word. */
  isOfAnother(claim: string): boolean {
    return this.#isOtherLive(processOf(claim));
  }

  /** Ids of the executions that run here. */
  running(): ReadonlySet<string> {
    return this.#pool.running();
  }

  /** Whether the store answers, as far as anybody here knows. */
  get storeAnswers(): boolean {
    return this.#availability.trouble === undefined;
  }

  /** How the process is now. */
  health(): Health {
    const { livenessStallMillis } = this.#parts.settings;
    const { gate } = this.#parts;
    const loops = Object.values(this.#periodic).map((loop) => loop.pulse);
    const pulses: readonly Pulse[] = [
      this.#claims.pulse,
      this.#processes.pulse,
      ...loops,
      ...(gate === undefined ? [] : [gate.pulse]),
    ];
    const stalled = pulses.filter((pulse) => pulse.silence > livenessStallMillis / 2).map((pulse) => pulse.name);
    const unready: UnreadyReason[] = [];
    if (this.#stopping !== undefined) unready.push('shutting_down');
    const trouble = this.#availability.trouble;
    if (trouble !== undefined)
      unready.push(trouble.kind === 'unreachable' ? 'database_unreachable' : 'database_read_only');
    else if (stalled.length > 0) unready.push('consumer_stalled');
    unready.push(...this.#parts.queue.trouble);
    // Loops that wait for the store are alive: killing the process would not bring it back.
    const dead = trouble === undefined && pulses.some((pulse) => pulse.silence > livenessStallMillis);
    return { alive: !dead, unready, stalled };
  }

  async #start(): Promise<void> {
    const { queue, telemetry, runs, settings } = this.#parts;
    await queue.start({
      processes: this.#processes,
      rung: (dueAt, held) => this.#rung(dueAt, held),
      unknown: (id) => {
        const isHeld = this.#pool.has(id);
        if (isHeld) this.#periodic.renew.hurry();
        return isHeld;
      },
      refill: () => this.#periodic.reconcile.hurry(),
      renew: () => this.#periodic.renew.hurry(),
      owned: () => {
        this.#pool.handBack((slot) => queue.owns(slot));
        this.#parts.gate?.keepOnly((id) => queue.owns(slotOf(id)));
      },
    });
    this.#periodic.probe.start();
    this.#processes.start();
    // Before anything is claimed: no call may go out that is held. Should the store not answer, the gate keeps them back.
    const known = this.#parts.gate?.start((id, dueAt) => this.#tryBlocked(id, dueAt));
    if (known !== undefined) await this.#within(known, flushGraceMillis);
    if (!runs) return;
    // What the store says is in hand is to be left to those that live.
    await this.#within(this.#processes.begun(), flushGraceMillis);
    this.#periodic.renew.start();
    this.#periodic.reconcile.start();
    this.#claims.start();
    telemetry.log('info', 'engine started', { workers: settings.workerCount });
  }

  async #stop(options: StopOptions): Promise<void> {
    const { queue, telemetry, clock } = this.#parts;
    await this.#started?.catch(() => undefined);
    telemetry.log('info', 'stopping: no more claims', { held: this.#pool.size });
    await this.#claims.stop();
    await this.#within(queue.leave(), flushGraceMillis);
    telemetry.log('info', 'stopping: left the others');
    const hurried = new Promise<void>((resolve) => {
      this.#hurryStop = resolve;
    });
    this.#pool.drain();
    if (!(await this.#within(this.#pool.emptied(), options.drainTimeoutMillis, hurried))) {
      telemetry.log('warn', 'stopping: calls in flight are given up', { held: this.#pool.size });
      this.#pool.abandon();
      await this.#within(this.#pool.emptied(), flushGraceMillis);
    }
    telemetry.log('info', 'stopping: drained', { held: this.#pool.size });
    await this.#within(this.#flushed(), flushGraceMillis);
    telemetry.log('info', 'stopping: flushed');
    await this.#within(queue.handOver?.() ?? Promise.resolve(), flushGraceMillis);
    await options.stopServing?.();
    telemetry.log('info', 'stopping: serves no more');
    // What was accepted until here is durable, or its caller has been told.
    await this.#within(
      this.#submitter.drained().then(() => this.#queueWriter.drained()),
      flushGraceMillis,
    );
    this.#reads.stop();
    await this.#within(this.#parts.gate?.stop() ?? Promise.resolve(), flushGraceMillis);
    await Promise.all(Object.values(this.#periodic).map((loop) => this.#within(loop.stop(), flushGraceMillis)));
    await queue.stop();
    await this.#within(this.#processes.stop(), flushGraceMillis);
    telemetry.log('info', 'stopped', { monotonic: Math.round(clock.monotonic()) });
  }

  async #flushed(): Promise<void> {
    await this.#checkpoints.drained();
    await this.#queueWriter.drained();
  }

  /** Whether `work` ended within the time, or before it was cut short. */
  async #within(work: Promise<void>, millis: number, cutShort?: Promise<void>): Promise<boolean> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<false>((resolve) => {
      timer = this.#parts.clock.after(millis, () => resolve(false));
    });
    const ended = await Promise.race([work.then(() => true), late, ...(cutShort ? [cutShort.then(() => false)] : [])]);
    timer?.cancel();
    return ended;
  }

  /**
   * What kept a call of the execution back may be over: the process that has it tries again. Answers whether that is, or will be,
   * this one.
   */
  #tryBlocked(id: string, dueAt: number): boolean {
    if (this.#pool.driverOf(id)?.post({ type: 'timer', tryBlocked: true }) === true) return true;
    const slot = slotOf(id);
    this.#queueWriter.ring({ id, slot, dueAt });
    return this.#parts.queue.owns(slot);
  }

  #isOtherLive(process: string): boolean {
    return process !== this.#parts.queue.process && this.#processes.isLive(process);
  }

  #rung(dueAt: number, held: string | undefined): void {
    if (held !== undefined) this.#pool.driverOf(held)?.poke();
    this.#claims.rung(dueAt);
  }

  /**
   * Asks a store that is away whether it is back, until the outage is over. That it goes away is noticed by whoever uses it, and
   * by the beats.
   */
  async #probe(): Promise<void> {
    const { trouble, isOutage } = this.#availability;
    if (!isOutage) return;
    // Whether there is room again, only a write can tell: those that wait try.
    if (trouble?.kind === 'full' && this.#checkpoints.isBusy) return;
    try {
      await this.#parts.store.ping();
      this.#availability.answered('write');
    } catch (error) {
      this.#availability.failed('ping', error);
    }
  }
}
