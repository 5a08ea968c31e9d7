import type { Run } from '../../core/apply.ts';
import { roughSize } from '../../core/value/json.ts';
import type { Clock, Stamp } from '../../ports/clock.ts';
import type { Claimed } from '../../ports/queue.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { BoundedMap } from '../bounded-map.ts';
import type { DriverOwner, DriverParts, Ending, ClaimedExecution } from '../execution/driver-contract.ts';
import { ExecutionDriver } from '../execution/execution-driver.ts';
import { Lease } from './lease.ts';
import type { QueueWriter } from '../queue/queue-writer.ts';

/**
 * Only executions due within this time are parked in the queue. Later timers stay in the store, and the reconciler adds
 * them ahead of time. The horizon exceeds the reconciler's look-ahead, so that no timer is missed.
 */
export const parkHorizonMillis = 120_000;

/** Maximum characters of payload and outputs of a parked execution that stays in memory. */
const maxKeptChars = 65_536;

/** Delay before an execution that cannot make progress is claimed again, in ms. */
const stuckMillis = 30_000;

/** Executions that have been due for longer than this, in ms, take precedence over direct starts. */
const overdueMillis = 100;

/** What a pool needs. */
export interface WorkerPoolParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly queueWriter: QueueWriter;
  readonly driver: DriverParts;
  /** Runs that were parked here recently. */
  readonly parked: BoundedMap<string, Run>;
  readonly workerCount: number;
  readonly prefetch: number;
  readonly leaseMillis: number;
  /**
   * Takes an execution over in the store and begins to drive it, or ends the lease. Never throws.
   */
  load(lease: Lease, dueAt: number): void;
  /** Called when there is room for another claim. */
  roomFreed(): void;
  /** Called when the execution has ended or no longer exists. */
  over(id: string): void;
}

/**
 * The use of a process's places, as numbers of executions: `calling` (a call is under way), `host` (its calls wait for a
 * free place at a host), `loading` (it is being taken over or inserted), `store` (a read or write of the store is under
 * way), `other` (a pause after an engine fault, or work that takes no time), `free`. The sum is `runtime.workerCount`.
 */
export type PlacesInUse = Readonly<Record<'calling' | 'host' | 'loading' | 'store' | 'other' | 'free', number>>;

interface Held {
  readonly lease: Lease;
  driver?: ExecutionDriver;
}

/**
 * The executions that this process holds: those that wait for a worker, are being loaded, or run.
 *
 * A lease begins with a claim (from the queue, or directly for a new execution) and ends with an acknowledgement or a
 * release. At most `workerCount` executions run at a time; up to `prefetch` more wait. All leases are renewed, whether
 * their executions wait or run.
 */
export class WorkerPool implements DriverOwner {
  readonly #parts: WorkerPoolParts;
  readonly #held = new Map<string, Held>();
  /** Executions that wait for a worker, the longest due first. */
  #backlog: { readonly lease: Lease; readonly dueAt: number }[] = [];
  #draining = false;
  #othersWait = false;
  #reserved = 0;
  #idle: (() => void)[] = [];

  constructor(parts: WorkerPoolParts) {
    this.#parts = parts;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Number of executions that run or are being loaded, without those that wait for a worker. */
  get busy(): number {
    return this.#held.size - this.#backlog.length;
  }

  /** The use of the places. Iterates over all held executions, so do not call it on the hot path. */
  get places(): PlacesInUse {
    const places = { calling: 0, host: 0, loading: this.#reserved, store: 0, other: 0, free: 0 };
    const waiting = new Set(this.#backlog.map(({ lease }) => lease.id));
    for (const [id, { driver }] of this.#held) if (!waiting.has(id)) places[driver?.use ?? 'loading']++;
    places.free = Math.max(0, this.#parts.workerCount - this.busy - this.#reserved);
    return places;
  }

  /** Number of held executions. */
  get size(): number {
    return this.#held.size;
  }

  /** Number of further executions that may be claimed; 0 while the held executions exceed the memory bound. */
  get room(): number {
    if (this.#draining || this.#parts.driver.memory.isFull) return 0;
    return this.#parts.workerCount + this.#parts.prefetch - this.#held.size - this.#reserved;
  }

  /** Whether the queue has further due executions after the last claim. */
  set queueHasMore(more: boolean) {
    this.#othersWait = more;
  }

  othersWait(): boolean {
    return this.#backlog.length > 0 || (this.#othersWait && this.room <= 0);
  }

  /** All leases, for renewal. */
  leases(): Lease[] {
    return Array.from(this.#held.values(), (held) => held.lease);
  }

  /** Whether this process holds the execution. */
  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** Ids of the executions that run or are being loaded. */
  running(): ReadonlySet<string> {
    const ids = new Set(this.#held.keys());
    for (const { lease } of this.#backlog) ids.delete(lease.id);
    return ids;
  }

  /** The driver of an execution that is running here. */
  driverOf(id: string): ExecutionDriver | undefined {
    return this.#held.get(id)?.driver;
  }

  /** Adds a claimed execution. If the pool already holds it, its worker continues under the new token. */
  take(claimed: Claimed, sent: Stamp): void {
    const { clock, leaseMillis, workerCount } = this.#parts;
    const known = this.#held.get(claimed.id);
    if (known !== undefined) {
      known.lease.adopt(claimed, sent);
      known.driver?.poke();
      return;
    }
    const lease = new Lease(claimed, sent, clock, leaseMillis);
    if (this.#draining) {
      this.#parts.queueWriter.release(lease);
      return;
    }
    const busy = this.busy;
    const held: Held = { lease };
    this.#held.set(lease.id, held);
    if (busy < workerCount) this.#parts.load(lease, claimed.dueAt);
    else {
      const after = this.#backlog.findLastIndex(({ dueAt }) => dueAt <= claimed.dueAt);
      this.#backlog.splice(after + 1, 0, { lease, dueAt: claimed.dueAt });
    }
  }

  /**
   * Reserves a worker for a direct start. Returns false if none is free, or if other executions have waited longer, here
   * or in the queue, where the longest due id has been due since `oldestDueAt`. Call {@link WorkerPool.reserve} or
   * {@link WorkerPool.unreserve} afterwards.
   */
  tryReserve(oldestDueAt: number | undefined): boolean {
    const { clock, workerCount } = this.#parts;
    const free = workerCount - this.#held.size - this.#reserved;
    if (this.#draining || this.#backlog.length > 0 || free <= 0 || this.#parts.driver.memory.isFull) return false;
    if (oldestDueAt !== undefined && clock.now() - oldestDueAt > overdueMillis) return false;
    this.#reserved++;
    return true;
  }

  /** Adds the new execution to the held ones during its insert. */
  reserve(claimed: Claimed, sent: Stamp): Lease {
    this.#reserved--;
    const lease = new Lease(claimed, sent, this.#parts.clock, this.#parts.leaseMillis);
    this.#held.set(lease.id, { lease });
    return lease;
  }

  /** Gives a reserved worker back. */
  unreserve(): void {
    this.#reserved--;
  }

  /** Ends a lease without a driver: the id leaves the queue, comes back at `parkUntil`, or is ready at once. */
  giveBack(lease: Lease, how: 'ack' | 'release' | { readonly parkUntil: number }): void {
    if (!this.#held.delete(lease.id)) return;
    if (how === 'ack') this.#parts.over(lease.id);
    if (how === 'release') this.#parts.queueWriter.release(lease);
    else this.#parts.queueWriter.ack(lease, how === 'ack' ? undefined : how.parkUntil);
    this.#freed();
  }

  /** Creates the driver of an execution. The caller begins it. */
  drive(execution: ClaimedExecution): ExecutionDriver {
    const driver = new ExecutionDriver(this.#parts.driver, this, execution);
    const held = this.#held.get(execution.lease.id);
    if (held !== undefined) held.driver = driver;
    return driver;
  }

  ended(lease: Lease, how: Ending): void {
    const { queueWriter, clock } = this.#parts;
    this.#held.delete(lease.id);
    switch (how.kind) {
      case 'over':
        this.#parts.over(lease.id);
        queueWriter.ack(lease);
        break;
      case 'parked':
        this.#keep(lease.id, how.run);
        queueWriter.ack(lease, how.dueAt - clock.now() <= parkHorizonMillis ? how.dueAt : undefined);
        break;
      case 'released':
        if (how.run !== undefined) this.#keep(lease.id, how.run);
        queueWriter.release(lease, how.yields === true && !this.#draining && !lease.isOver);
        break;
      case 'stuck':
        queueWriter.ack(lease, clock.now() + stuckMillis);
    }
    this.#freed();
  }

  /**
   * Releases the executions that have not begun, in their places, and lets the others run to a point where they can be
   * released.
   */
  drain(): void {
    this.#draining = true;
    for (const { lease } of this.#backlog.splice(0)) {
      this.#held.delete(lease.id);
      this.#parts.queueWriter.release(lease);
    }
    for (const held of this.#held.values()) held.driver?.nudge();
    this.#freed();
  }

  /** Releases the waiting executions of shards that this process no longer owns. */
  handBack(isOurs: (slot: number) => boolean): void {
    const others = this.#backlog.filter(({ lease }) => !isOurs(lease.slot));
    if (others.length === 0) return;
    this.#backlog = this.#backlog.filter(({ lease }) => isOurs(lease.slot));
    for (const { lease } of others) {
      this.#held.delete(lease.id);
      this.#parts.queueWriter.release(lease);
    }
    this.#freed();
  }

  /** Gives up the calls in flight. */
  abandon(): void {
    for (const held of this.#held.values()) held.driver?.abandon();
  }

  /** Resolves once the pool holds no execution. Call it while draining. */
  emptied(): Promise<void> {
    if (this.#held.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  /**
   * Keeps a small parked execution in memory in case it resumes soon. Large ones are not kept, which bounds the bytes of
   * the cache.
   */
  #keep(id: string, run: Run): void {
    const size = roughSize(run.header.payload, maxKeptChars);
    if (size + run.outputs.roughSize(maxKeptChars - size) <= maxKeptChars) this.#parts.parked.set(id, run);
  }

  #freed(): void {
    while (this.#backlog.length > 0 && this.busy < this.#parts.workerCount) {
      const next = this.#backlog.shift();
      if (next !== undefined) this.#parts.load(next.lease, next.dueAt);
    }
    if (this.#held.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    if (!this.#draining) this.#parts.roomFreed();
  }
}
