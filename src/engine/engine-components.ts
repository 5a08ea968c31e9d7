import type { Run } from '../core/apply.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { HttpCaller } from '../ports/http-caller.ts';
import { processOf, type Queue, type StoredItem } from '../ports/queue.ts';
import type { Checkpoint, CheckpointResult, ClaimRow, Store } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { Availability } from './write/availability.ts';
import { BoundedMap } from './bounded-map.ts';
import { CallRunner } from './call/call-runner.ts';
import type { CallbackIssuer, CallMasker, Vault } from './call/prepared-call.ts';
import { ClaimLoop } from './worker/claim-loop.ts';
import { Coalescer } from './write/coalescer.ts';
import { CoreEnvironment } from './core-env.ts';
import { DriverTimers } from './execution/driver-timers.ts';
import type { CallGate } from './call/gate/call-gate.ts';
import { renewLeases } from './worker/lease-keeper.ts';
import { Loader } from './worker/loader.ts';
import { Family } from './family/family.ts';
import { IdMint } from './id-mint.ts';
import { LoopShare } from './loop-share.ts';
import { MemoryLedger } from './worker/memory-ledger.ts';
import { PatientReads } from './write/patient-reads.ts';
import { Periodic } from './periodic.ts';
import type { PlanCache } from './worker/plan-cache.ts';
import { ProcessWatch } from './process-watch.ts';
import { QueueHealth } from './queue/queue-health.ts';
import { QueueWriter } from './queue/queue-writer.ts';
import { reconcileMillis, Reconciler } from './worker/reconciler.ts';
import type { EngineSettings } from './settings.ts';
import { Submitter } from './write/submitter.ts';
import { WatchHub } from './watch-hub.ts';
import { WorkerPool } from './worker/worker-pool.ts';

/** What an engine needs. */
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
  /** Decides when calls may leave; absent: at once. The engine starts and stops the gate. */
  readonly gate?: CallGate;
  /** Shared with all code that compiles definitions. */
  readonly plans: PlanCache;
  /** False for a process that accepts executions and drives none. */
  readonly runs: boolean;
  /** The version of this program, which the other processes see. */
  readonly version: string;
  readonly settings: EngineSettings;
}

/** Interval at which the engine probes an unavailable store when no other call reaches it, in ms. */
const probeMillis = 1_000;
/**
 * Leases are renewed after a third of their duration, and at least this often. A lost claim must be asserted again before the rest of its
 * shard ends (`assertMillis` in `ports/shard-queue.ts`), also by a process that does not own the shard and so never notices the loss.
 */
const longestRenewalMillis = 2_000;
/** Maximum number of rows in one batch for the store. */
export const maxCommitRows = 200;
const maxCommitBytes = 4 * 1024 * 1024;

/**
 * How long the engine tries to report an existing execution to the queue, in ms. A later report may be out of date, because another process
 * may hold the execution by then. The reconciler finds executions whose report was dropped.
 */
const ringPatienceMillis = 2_000;

/** Creates and connects the parts of one engine. The engine starts them. */
export class EngineComponents {
  /** Makes the environment of the core's transitions. */
  readonly env: CoreEnvironment;
  /** Bounds the work of this process in one turn of the event loop. */
  readonly share: LoopShare;
  readonly ids: IdMint;
  readonly availability: Availability;
  readonly watch: WatchHub;
  readonly reads: PatientReads;
  readonly queueWriter: QueueWriter;
  readonly checkpoints: Coalescer<Checkpoint, CheckpointResult>;
  readonly processes: ProcessWatch;
  readonly submitter: Submitter;
  readonly pool: WorkerPool;
  readonly memory: MemoryLedger;
  readonly claims: ClaimLoop;
  readonly reconciler: Reconciler;
  readonly periodic: { readonly renew: Periodic; readonly reconcile: Periodic; readonly probe: Periodic };
  readonly #store: Store;
  readonly #processId: string;

  constructor(parts: EngineParts) {
    const { clock, entropy, store, queue, telemetry, settings, plans } = parts;
    const { leaseMillis } = settings;
    this.#store = store;
    this.#processId = queue.process;
    this.env = new CoreEnvironment(
      entropy,
      (name) => parts.vault.variable(name),
      (used) => parts.callbacks.keyFor(used),
      settings.limits,
      (now) => this.ids.mint(now),
      (value) => parts.masker.json(value),
    );
    this.ids = new IdMint(parts);
    const availability = new Availability({ clock, telemetry });
    this.availability = availability;
    this.watch = new WatchHub(settings.maxWatchers);
    const base = { clock, entropy, telemetry, availability, queueHealth: new QueueHealth({ clock, telemetry }) };
    this.reads = new PatientReads({ ...base, store });
    this.queueWriter = new QueueWriter({ ...base, queue });
    this.checkpoints = new Coalescer(base, {
      operation: 'checkpoint',
      maxRows: maxCommitRows,
      maxBytes: maxCommitBytes,
      // Each worker has at most one checkpoint under way, so no further bound is needed.
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
    this.processes = new ProcessWatch({
      ...base,
      store,
      process: { id: queue.process, podId: processOf(queue.process), version: parts.version, works: parts.runs },
      leaseMillis,
      availability,
    });
    this.share = new LoopShare(base, settings.limits);
    const { share } = this;
    const calls = new CallRunner({ ...base, ...parts, ...settings, meter: share });
    const family = new Family({
      ...base,
      store,
      plans,
      reads: this.reads,
      env: this.env,
      share,
      resolver: calls.resolver,
      maxOutputBytes: settings.maxOutputBytes,
      submit: (submission) => this.submitter.submit(submission, parts.runs ? this.pool : undefined),
      ring: (item) => this.ring(item),
    });
    const parked = new BoundedMap<string, Run>(settings.parkedCacheSize);
    this.memory = new MemoryLedger(clock, settings.maxInHandBytes, () => this.claims.roomFreed());
    const memory = { memory: this.memory, maxOutputBytes: settings.maxOutputBytes };
    const loader = new Loader({
      ...base,
      store,
      reads: this.reads,
      plans,
      calls,
      parked,
      ...memory,
      checkpoints: this.checkpoints,
      watch: this.watch,
      ring: (item) => this.ring(item),
      live: () => this.processes.live,
      patienceMillis: leaseMillis,
    });
    this.pool = new WorkerPool({
      ...base,
      ...settings,
      queueWriter: this.queueWriter,
      parked,
      driver: {
        clock,
        telemetry,
        checkpoints: this.checkpoints,
        reads: this.reads,
        calls,
        askClaim: (id) => claimRows.request(id, 0),
        timers: new DriverTimers(clock),
        watch: this.watch,
        env: this.env,
        share,
        maxSteps: settings.maxStepsPerExecution,
        family,
        ring: (item) => this.ring(item),
        ...memory,
      },
      over: (id) => parts.gate?.ended(id),
      load: (lease, dueAt) => loader.load(lease, dueAt, this.pool),
      roomFreed: () => this.claims.roomFreed(),
    });
    this.submitter = new Submitter({
      ...base,
      store,
      queue,
      queueWriter: this.queueWriter,
      env: this.env,
      share: this.share,
      plans,
      ring: (item) => this.ring(item),
      leaseMillis,
      maxWaiting: settings.maxWaitingSubmissions,
      patienceMillis: settings.submitPatienceMillis,
    });
    this.claims = new ClaimLoop({
      ...base,
      queue,
      pool: this.pool,
      batch: settings.claimBatch,
      leaseMillis,
      sweepMillis: settings.fullSweepMillis,
    });
    this.reconciler = new Reconciler({
      ...base,
      store,
      queue,
      holds: (id) => this.pool.has(id),
      isOtherLive: (id) => this.isOtherLive(id),
      meet: (processes) => this.processes.meet(processes),
    });
    const keeper = { ...base, queue, pool: this.pool, leaseMillis };
    this.periodic = {
      renew: new Periodic('renew', base, Math.min(leaseMillis / 3, longestRenewalMillis), () => renewLeases(keeper)),
      reconcile: new Periodic('reconcile', base, reconcileMillis, () => this.reconciler.round()),
      probe: new Periodic('probe', base, probeMillis, () => this.#probe()),
    };
    availability.onReturn(() => {
      this.claims.wake();
      this.periodic.reconcile.hurry();
    });
  }

  /** Reports a due execution: wakes its driver if the execution runs here, otherwise rings through the queue. Never throws. */
  ring({ id, slot, dueAt, heldBy }: StoredItem): void {
    if (this.pool.driverOf(id)?.poke() === true) return;
    const isOfAnother = heldBy !== undefined && this.isOtherLive(heldBy);
    this.queueWriter.ring({ id, slot, dueAt, ...(isOfAnother && { heldBy }) }, ringPatienceMillis);
  }

  /** Whether `process` is another process that is alive according to the store. */
  isOtherLive(process: string): boolean {
    return process !== this.#processId && this.processes.isLive(process);
  }

  /** Probes an unavailable store. Failing requests and beats detect the beginning of an outage. */
  async #probe(): Promise<void> {
    const { trouble, isOutage } = this.availability;
    if (!isOutage) return;
    // Only a write shows whether a full store has room again, and waiting checkpoints already try to write.
    if (trouble?.kind === 'full' && this.checkpoints.isBusy) return;
    try {
      await this.#store.ping();
      this.availability.answered('write');
    } catch (error) {
      this.availability.failed('ping', error);
    }
  }
}
