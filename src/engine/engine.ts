import { slotOf } from '../core/value/slot.ts';
import { processOf, type StoredItem } from '../ports/queue.ts';
import type { SubmitResult } from '../ports/store.ts';
import type { CoreEnvironment } from './core-env.ts';
import type { Submission } from './write/submission.ts';
import type { EngineLoad, Health, UnreadyReason } from './engine-state.ts';
import type { LoopShare } from './loop-share.ts';
import type { PlanCache } from './worker/plan-cache.ts';
import { EngineComponents, type EngineParts, maxCommitRows } from './engine-components.ts';
import type { Pulse } from './service.ts';
import type { Watcher } from './watch-hub.ts';

/** How to stop. */
export interface StopOptions {
  /** How long calls in flight may go on. */
  readonly drainTimeoutMillis: number;
  /** Stops serving requests. The engine calls it after the drain and the flush. */
  readonly stopServing?: () => Promise<void>;
}

/** How long each step of a stop may take after the drain, in ms. */
const flushGraceMillis = 2_000;

/**
 * The engine of one process: accepts executions, drives the due ones, and notifies their watchers.
 *
 * Everything comes in through ports, so a simulator can run several engines in one thread over simulated ports. The caller opens the store
 * and the HTTP caller before {@link Engine.start} and closes them after {@link Engine.stop}.
 */
export class Engine {
  /** Creates the environment of the core's transitions for all parts of this process. */
  readonly env: CoreEnvironment;
  /** Bounds the work of this process in one turn of the event loop. */
  readonly share: LoopShare;
  readonly plans: PlanCache;
  readonly #parts: EngineParts;
  readonly #components: EngineComponents;
  #started: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #hurryStop: (() => void) | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#components = new EngineComponents(parts);
    this.plans = parts.plans;
    this.env = this.#components.env;
    this.share = this.#components.share;
  }

  /** Connects the queue, fills it from the store and starts the workers. A second call waits for the first. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /**
   * Stops in this order: ends claims and direct starts; drains executions and hands them back; at the drain timeout
   * gives up calls in flight, whose outcome is then unknown; flushes writes; stops serving requests; leaves the queue. A
   * second call waits for the first.
   */
  stop(options: StopOptions): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  /** Makes a stop that waits for calls in flight give them up now. */
  force(): void {
    this.#hurryStop?.();
  }

  /**
   * Stores a new execution, then lets it run. Resolves when the execution is durable.
   *
   * @throws StoreUnavailable when the store did not answer in time; the execution may exist nevertheless.
   * @throws Overloaded when too many submissions wait.
   */
  submit(submission: Submission): Promise<SubmitResult> {
    const { availability, submitter, pool } = this.#components;
    const { trouble } = availability;
    // A bounded number of waiting submissions detects the return of the store; the rest fail at once.
    if (trouble !== undefined && submitter.waiting > maxCommitRows) return Promise.reject(trouble);
    const direct = this.#parts.runs && this.#stopping === undefined && this.#started !== undefined;
    return submitter.submit(submission, direct ? pool : undefined);
  }

  /** Mints an id for a new execution; see {@link IdMint}. */
  mintId(now: number): string {
    return this.#components.ids.mint(now);
  }

  /** Reports a due execution: wakes its driver if the execution runs here, otherwise rings through the queue. Never throws. */
  ring(item: StoredItem): void {
    this.#components.ring(item);
  }

  /**
   * Calls `watcher` with the durable state after every checkpoint of the execution that this process writes. The
   * execution need not exist yet. The returned function ends the watch.
   *
   * @throws Overloaded when there are too many watchers.
   */
  watch(id: string, watcher: Watcher): () => void {
    return this.#components.watch.watch(id, watcher);
  }

  /** Refills a queue that has lost its content from the store, at once. */
  rebuild(): void {
    this.#components.reconciler.forget();
    this.#components.periodic.reconcile.hurry();
  }

  /** The present load: held and running executions, the use of the places, and waiting work. */
  load(): EngineLoad {
    const { pool, memory, submitter, watch } = this.#components;
    return {
      busy: pool.busy,
      places: pool.places,
      held: pool.size,
      bytes: memory.bytes,
      maxBytes: memory.maxBytes,
      waitingSubmissions: submitter.waiting,
      watchers: watch.size,
    };
  }

  /** Whether a claim belongs to another process that is alive according to the store. */
  isOfAnother(claim: string): boolean {
    return this.#components.isOtherLive(processOf(claim));
  }

  /** Ids of the executions that run in this process. */
  running(): ReadonlySet<string> {
    return this.#components.pool.running();
  }

  /** Whether the store answers, as far as this process knows. */
  get storeAnswers(): boolean {
    return this.#components.availability.trouble === undefined;
  }

  /** Whether the process is alive and ready. */
  health(): Health {
    const { periodic, claims, processes, availability } = this.#components;
    const { livenessStallMillis } = this.#parts.settings;
    const { gate } = this.#parts;
    const loops = Object.values(periodic).map((loop) => loop.pulse);
    const pulses: readonly Pulse[] = [
      claims.pulse,
      processes.pulse,
      ...loops,
      ...(gate === undefined ? [] : [gate.pulse]),
    ];
    const stalled = pulses.filter((pulse) => pulse.silence > livenessStallMillis / 2).map((pulse) => pulse.name);
    const unready: UnreadyReason[] = [];
    if (this.#stopping !== undefined) unready.push('shutting_down');
    const { trouble } = availability;
    if (trouble !== undefined)
      unready.push(trouble.kind === 'unreachable' ? 'database_unreachable' : 'database_read_only');
    else if (stalled.length > 0) unready.push('consumer_stalled');
    unready.push(...this.#parts.queue.trouble);
    // During an outage of the store, waiting loops count as alive: a restart would not help.
    const dead = trouble === undefined && pulses.some((pulse) => pulse.silence > livenessStallMillis);
    return { alive: !dead, unready, stalled };
  }

  async #start(): Promise<void> {
    const { processes, pool, periodic, claims } = this.#components;
    const { queue, telemetry, runs, settings } = this.#parts;
    await queue.start({
      processes: processes,
      rung: (dueAt, held) => this.#rung(dueAt, held),
      unknown: (id) => {
        const isHeld = pool.has(id);
        if (isHeld) periodic.renew.hurry();
        return isHeld;
      },
      refill: () => periodic.reconcile.hurry(),
      renew: () => periodic.renew.hurry(),
      owned: () => {
        pool.handBack((slot) => queue.owns(slot));
        this.#parts.gate?.keepOnly((id) => queue.owns(slotOf(id)));
      },
    });
    periodic.probe.start();
    processes.start();
    // The gate must know the operators' holds before the first claim. Until the store answers, the gate blocks all calls.
    const known = this.#parts.gate?.start((id, dueAt) => this.#tryBlocked(id, dueAt));
    if (known !== undefined) await this.#within(known, flushGraceMillis);
    if (!runs) return;
    // The engine must know the live processes before it touches executions that they hold.
    await this.#within(processes.begun(), flushGraceMillis);
    periodic.renew.start();
    periodic.reconcile.start();
    claims.start();
    telemetry.log('info', 'engine started', { workers: settings.workerCount });
  }

  async #stop(options: StopOptions): Promise<void> {
    const { pool, claims, submitter, queueWriter, reads, periodic, processes } = this.#components;
    const { queue, telemetry, clock } = this.#parts;
    await this.#started?.catch(() => undefined);
    telemetry.log('info', 'stopping: no more claims', { held: pool.size });
    await claims.stop();
    await this.#within(queue.leave(), flushGraceMillis);
    telemetry.log('info', 'stopping: left the cluster');
    const hurried = new Promise<void>((resolve) => {
      this.#hurryStop = resolve;
    });
    pool.drain();
    if (!(await this.#within(pool.emptied(), options.drainTimeoutMillis, hurried))) {
      telemetry.log('warn', 'stopping: calls in flight are given up', { held: pool.size });
      pool.abandon();
      await this.#within(pool.emptied(), flushGraceMillis);
    }
    telemetry.log('info', 'stopping: drained', { held: pool.size });
    await this.#within(this.#flushed(), flushGraceMillis);
    telemetry.log('info', 'stopping: flushed');
    await this.#within(queue.handOver?.() ?? Promise.resolve(), flushGraceMillis);
    await options.stopServing?.();
    telemetry.log('info', 'stopping: no more requests');
    // Waits until every accepted submission is durable or has failed.
    await this.#within(
      submitter.drained().then(() => queueWriter.drained()),
      flushGraceMillis,
    );
    reads.stop();
    await this.#within(this.#parts.gate?.stop() ?? Promise.resolve(), flushGraceMillis);
    await Promise.all(Object.values(periodic).map((loop) => this.#within(loop.stop(), flushGraceMillis)));
    await queue.stop();
    await this.#within(processes.stop(), flushGraceMillis);
    telemetry.log('info', 'stopped', { monotonic: Math.round(clock.monotonic()) });
  }

  async #flushed(): Promise<void> {
    await this.#components.checkpoints.drained();
    await this.#components.queueWriter.drained();
  }

  /** Waits for `work`, at most `millis` or until `cutShort`; returns whether it has ended. */
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
   * Lets the process that holds the execution retry a blocked call, because the block may have cleared. Returns whether that process is, or
   * will be, this one.
   */
  #tryBlocked(id: string, dueAt: number): boolean {
    if (this.#components.pool.driverOf(id)?.post({ type: 'timer', tryBlocked: true }) === true) return true;
    const slot = slotOf(id);
    this.#components.queueWriter.ring({ id, slot, dueAt });
    return this.#parts.queue.owns(slot);
  }

  #rung(dueAt: number, held: string | undefined): void {
    if (held !== undefined) this.#components.pool.driverOf(held)?.poke();
    this.#components.claims.rung(dueAt);
  }
}
