import type { Clock } from '../src/ports/clock.ts';
import type { ShardPart, ShardQueue } from '../src/ports/shard-queue.ts';
import type { Store } from '../src/ports/store.ts';
import { MemoryStore } from './store/memory-store.ts';
import type { Random } from './random.ts';
import { randomDefinitionHost } from './random-definition.ts';
import { VirtualClock } from './virtual-clock.ts';
import { SingleOwner } from './rules/single-owner.ts';
import { type CallbackPost, Downstreams, goodManners } from './downstreams.ts';
import { HoldBook } from './rules/hold-book.ts';
import { Ledger } from './rules/ledger.ts';
import { observeStore } from './rules/observed-store.ts';
import { Poison } from './rules/poison.ts';
import type { Process, Seat } from './process.ts';
import { ProcessStarter, type ProcessWorld, type ProcessWraps } from './process-starter.ts';
import { type Cut, Reach, type Server } from './rules/reach.ts';
import { ClusterSide, HubSide, type QueueSide } from './links/queue-side.ts';
import { hasCalmWires, isCalm, type Scenario } from './scenario.ts';
import { Trace, type TraceOptions } from './trace.ts';

const drainTimeoutMillis = 3_000;

/** What a world needs. */
export interface WorldParts extends ProcessWraps {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly trace: TraceOptions;
  /** Wraps the store below the wires: how tests break the engine on purpose. */
  readonly wrapStore: (store: Store, clock: VirtualClock) => Store;
  /** Wraps the server of a cluster's queue. */
  readonly wrapServer: (server: ShardQueue, clock: Clock) => ShardQueue;
}

/**
 * The simulated world: one store, one queue, the downstreams, and a few places where processes run, crash, freeze and
 * are started again. Everything runs in one thread, moved by one virtual clock.
 */
export class World implements ProcessWorld {
  readonly clock: VirtualClock = new VirtualClock();
  /** Monotonic time of the beginning. */
  readonly begunAt: number = this.clock.monotonic();
  readonly scenario: Scenario;
  readonly trace: Trace;
  readonly ledger: Ledger;
  readonly downstreams: Downstreams;
  readonly holds: HoldBook = new HoldBook();
  /** The store without wires, for checks. */
  readonly store: Store;
  readonly queueSide: QueueSide;
  /** The queue side, if it is a cluster's. */
  readonly cluster: ClusterSide | undefined;
  /** Whether faults happen now. */
  isStormy = true;
  isStoreUp = true;
  isQueueUp = true;
  /** Receives callbacks. */
  onCallback: (callback: CallbackPost) => void = () => undefined;
  /** Called with the place of a process that is about to read something for an execution. */
  onReading: (place: number) => void = () => undefined;
  readonly #random: Random;
  readonly #seats: readonly Seat[];
  readonly #starter: ProcessStarter;
  /** Monotonic time of the latest loss, change or standstill. */
  #unsettledUntil = 0;
  #excusedUntil = -Infinity;

  constructor({ scenario, random, trace, wrapStore, wrapServer, ...wraps }: WorldParts) {
    this.scenario = scenario;
    this.#random = random;
    this.trace = new Trace(this.clock, trace);
    this.ledger = new Ledger(this.clock, (what) => this.trace.note('store', what));
    this.store = new MemoryStore(() => this.clock.now());
    const poison = new Poison({
      ledger: this.ledger,
      isActive: () => this.isStormy && scenario.poison === true,
      missed: scenario.storeOutages + (isCalm(scenario.store) ? 0 : 2),
    });
    const settingWritten = (setting: string, text: string): void => {
      this.holds.written(setting, text);
      if (setting === 'queue.shardCount') this.#unsettle(0);
    };
    const front = wrapStore(observeStore(this.store, this.ledger, settingWritten), this.clock);
    const side = { clock: this.clock, scenario, isStormy: () => this.isStormy, wrapServer };
    this.cluster = scenario.cluster === undefined ? undefined : new ClusterSide(side, scenario.cluster);
    this.queueSide = this.cluster ?? new HubSide(side);
    this.downstreams = new Downstreams({
      clock: this.clock,
      random: random.fork(),
      manners: () => (this.isStormy ? scenario.manners : goodManners),
      definitionOf: (id) => this.ledger.accounts.get(id)?.definition,
      post: (callback) => this.onCallback(callback),
      note: (what) => this.trace.note('downstream', what),
    });
    this.#starter = new ProcessStarter(this, {
      ...wraps,
      random,
      store: front,
      poison,
      owners: new SingleOwner((rule, what) => this.ledger.blame(rule, what)),
    });
    const workers = scenario.processes - (scenario.cluster?.apiOnly ?? 0);
    this.#seats = Array.from({ length: scenario.processes }, (_, index) => ({
      index,
      works: index < workers,
      starts: 0,
      process: undefined,
      reach: new Reach(() => this.onReading(index)),
      reconnect: () => undefined,
    }));
  }

  /** Opens the store and starts a process in each place. */
  async open(): Promise<void> {
    await this.store.open();
    for (const seat of this.#seats) this.#starter.start(seat);
  }

  /** Processes that run or are frozen; none that is stopping. */
  get processes(): readonly Process[] {
    return this.#seats.flatMap(({ process }) => (process === undefined || process.isStopping ? [] : [process]));
  }

  /** The hosts of calls. */
  get hosts(): readonly string[] {
    return Array.from({ length: this.scenario.gate?.hosts ?? 1 }, (_, host) => randomDefinitionHost(host));
  }

  /** The process in a place, running or frozen. */
  processAt(place: number): Process | undefined {
    return this.#seats[place]?.process;
  }

  /** Ends all faults: frozen processes thaw, empty places are filled. */
  calm(): void {
    this.trace.note('world', 'calm');
    this.isStormy = false;
    this.isStoreUp = true;
    this.queueReturns();
    for (const host of this.hosts) this.downstreams.fail(host, undefined);
    for (const seat of this.#seats) {
      seat.reach.letReads();
      this.#mend(seat, 'store');
      this.#mend(seat, 'queue');
      if (seat.process === undefined) this.#starter.start(seat);
      else seat.process.clock.thaw();
    }
  }

  /** Kills a process at once; another one starts in its place later. */
  crash(process: Process): void {
    const seat = this.#seatOf(process);
    if (seat === undefined) return;
    this.trace.note(process.name, 'crashes');
    // Unsettled until its heartbeat has expired.
    this.#unsettle(this.scenario.cluster?.ttlMillis ?? 0);
    process.clock.kill();
    this.#leave(seat);
  }

  /** Freezes a process for a while, which may be longer than its leases: nothing reaches it. */
  freeze(process: Process): void {
    const { leaseMillis } = this.scenario;
    const millis = this.#random.pick([300, 2_000, leaseMillis * 1.5, leaseMillis * 4]);
    this.trace.note(process.name, `freezes for ${String(millis)} ms`);
    this.#unsettle(millis);
    process.clock.freeze();
    this.clock.after(millis, () => {
      if (process.clock.isFrozen) this.trace.note(process.name, 'thaws');
      process.clock.thaw();
    });
  }

  /** Stops a process in order; another one starts in its place. */
  restart(process: Process): void {
    if (process.isStopping || process.clock.isDead) return;
    process.isStopping = true;
    this.trace.note(process.name, 'stops');
    process.clock.deliver(() => {
      process.engine.stop({ drainTimeoutMillis }).then(
        () => {
          this.trace.note(process.name, 'stopped');
          process.clock.kill();
          const seat = this.#seatOf(process);
          if (seat !== undefined) this.#leave(seat);
        },
        (error: unknown) => this.ledger.blame('stop', `${process.name} could not stop: ${String(error)}`),
      );
    });
  }

  /** Lets the queue lose ids: all, or each by chance. */
  wipe(): void {
    const share = this.#random.pick([1, 1, 0.5]);
    this.trace.note('queue', `loses ${String(share * 100)} %`);
    this.#excuse(share < 1);
    this.queueSide.lose(share, this.#random);
  }

  /** Lets a cluster's queue lose one shard. */
  wipeShard(): void {
    this.trace.note('queue', 'loses a shard');
    this.#excuse(false);
    this.cluster?.wipeShard(this.#random);
  }

  /** Lets the queue lose one id. */
  loseId(id: string): void {
    this.trace.note('queue', `loses ${id.slice(-4)}`);
    this.#unsettle(0);
    this.queueSide.loseId(id);
  }

  /** Lets the server of a cluster's queue drop keys, each by chance. */
  evict(parts: readonly ShardPart[], share: number, members: number, random: Random): void {
    if (this.cluster === undefined) return;
    const lost = this.cluster.evict(parts, share, members, random);
    if (lost.length === 0) return;
    this.trace.note('queue', `drops ${lost.join(', ')}`);
    this.#unsettle(0);
  }

  /** Restarts the server of a cluster's queue. */
  restartServer(): void {
    const keepsData = this.#random.chance(0.4);
    this.trace.note('queue', `runs anew, ${keepsData ? 'with' : 'without'} its data`);
    this.#excuse(false);
    this.queueSide.restart(keepsData);
  }

  /** Makes the queue reachable again. */
  queueReturns(): void {
    if (this.isQueueUp) return;
    this.isQueueUp = true;
    for (const seat of this.#seats) seat.reconnect();
  }

  /** Cuts a process off from the queue for a while; other processes reach it. */
  cut(process: Process): void {
    if (this.#seatOf(process)?.reach.cutOf('queue') !== undefined) return;
    this.sever(process, 'queue', 'refused', this.#random.pick([300, 1_500, 8_000]));
  }

  /**
   * Cuts a process off from a server for a while; other processes reach it. Does nothing if the process is cut off
   * already.
   */
  sever(process: Process, server: Server, how: Cut, millis: number): void {
    const seat = this.#seatOf(process);
    if (seat === undefined || seat.reach.cutOf(server) !== undefined) return;
    this.trace.note(process.name, `is cut off from the ${server} (${how}) for ${String(millis)} ms`);
    seat.reach.cut(server, how);
    this.#unsettle(millis);
    this.clock.after(millis, () => this.#mend(seat, server));
  }

  /** Delays the store's answers to reads of a process for a while. */
  holdReads(process: Process, millis: number): void {
    const seat = this.#seatOf(process);
    if (seat === undefined) return;
    this.trace.note(process.name, `gets no answers to reads for ${String(millis)} ms`);
    seat.reach.holdReads();
    this.#unsettle(millis);
    this.clock.after(millis, () => seat.reach.letReads());
  }

  #seatOf(process: Process): Seat | undefined {
    return this.#seats.find((candidate) => candidate.process === process);
  }

  #mend(seat: Seat, server: Server): void {
    if (!seat.reach.mend(server)) return;
    this.trace.note(`p${String(seat.index)}`, `reaches the ${server} again`);
    if (server === 'queue') seat.reconnect();
  }

  /**
   * Restarts every process in turn, the next once the one before it is back; new processes are configured with this
   * number of shards.
   */
  roll(shards: number): void {
    if (this.cluster === undefined) return;
    this.trace.note('world', `rolls to ${String(shards)} shards`);
    this.cluster.wants = shards;
    const next = ([seat, ...rest]: readonly Seat[]): void => {
      if (seat === undefined) return;
      const { starts } = seat;
      if (seat.process !== undefined) this.restart(seat.process);
      const wait = (): void => {
        if (seat.starts > starts && seat.process !== undefined) next(rest);
        else this.clock.after(200, wait);
      };
      this.clock.after(200, wait);
    };
    this.#excuse(false);
    // The number changes once the last process is back. A process that is frozen then learns of it when it thaws.
    if (this.scenario.freeze > 0) this.ledger.amnestyUntil = this.#excusedUntil = this.clock.monotonic() + 30_000;
    next(this.#seats);
  }

  /**
   * Excuses processes that work for a while on executions that others got, since the queue has lost something. If
   * everything is answered soon they assert their claims before that, unless the loss is silent.
   */
  #excuse(isSilent: boolean): void {
    this.#unsettle(0);
    const { leaseMillis, freeze, queueOutages, cluster } = this.scenario;
    const until = this.clock.monotonic() + leaseMillis;
    this.ledger.amnestyUntil = until;
    const noticesSoon = freeze === 0 && queueOutages === 0 && cluster?.cuts === 0 && hasCalmWires(this.scenario);
    if (isSilent || !noticesSoon) this.#excusedUntil = until + leaseMillis;
  }

  get isLossExcused(): boolean {
    return this.clock.monotonic() <= this.#excusedUntil;
  }

  /** Whether nothing was lost, and nothing stood still, in the last `millis`. */
  hasSettled(millis: number): boolean {
    return this.clock.monotonic() >= this.#unsettledUntil + millis;
  }

  /** Notes a loss, or a standstill of this duration. */
  #unsettle(millis: number): void {
    this.#unsettledUntil = Math.max(this.#unsettledUntil, this.clock.monotonic() + millis);
  }

  #leave(seat: Seat): void {
    seat.process = undefined;
    const wait = this.isStormy ? this.#random.int(50, 4_000) : 50;
    this.clock.after(wait, () => {
      if (seat.process === undefined) this.#starter.start(seat);
    });
  }
}
