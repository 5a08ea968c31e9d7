/**
 * The simulated world: one store, one queue and the downstreams, and a few places where processes run, crash, freeze and
 * are started again. Everything in one thread, moved by one virtual clock.
 */
import type { Clock } from '../src/ports/clock.ts';
import { QueueUnavailable } from '../src/ports/queue.ts';
import type { ShardPart, ShardQueue } from '../src/ports/shard-queue.ts';
import { type Store, StoreUnavailable } from '../src/ports/store.ts';
import { silentTelemetry, type Telemetry } from '../src/ports/telemetry.ts';
import { Engine } from '../src/engine/engine.ts';
import type { CallGate } from '../src/engine/call/gate/call-gate.ts';
import { PlanCache } from '../src/engine/worker/plan-cache.ts';
import { defaultEngineSettings, type EngineSettings } from '../src/engine/settings.ts';
import { MemoryStore } from '../src/store/memory/memory-store.ts';
import type { Random } from './random.ts';
import { randomDefinitionHost } from './random-definition.ts';
import { SeededEntropy, VirtualClock } from './virtual-clock.ts';
import { issueCallback } from './callback-address.ts';
import { type Caller, Custody } from './rules/custody.ts';
import { type CallbackPost, Downstreams, goodManners } from './downstreams.ts';
import { HoldBook } from './rules/hold-book.ts';
import { HttpLink } from './links/http-link.ts';
import { Ledger } from './rules/ledger.ts';
import { LeaseBook } from './rules/lease-book.ts';
import { linkStore } from './links/links.ts';
import { observeStore } from './rules/observed-store.ts';
import { Poison } from './rules/poison.ts';
import { appOver, type Ports, type Process, type Seat } from './process.ts';
import { ProcessClock } from './process-clock.ts';
import { ProcessGate } from './process-gate.ts';
import { type Cut, Reach, type Server } from './rules/reach.ts';
import { ClusterSide, HubSide, type QueueSide } from './links/queue-side.ts';
import { hasCalmWires, isCalm, learnsSoon, type Scenario } from './scenario.ts';
import { Trace, type TraceOptions } from './trace.ts';
import type { ClaimOwner } from './rules/vain-claims.ts';
import { calmWire, Wire } from './links/wire.ts';

/** Total time of a call, in milliseconds. */
export const requestTimeoutMillis = 5_000;
const drainTimeoutMillis = 3_000;
/** What a queue has lost is noticed and filled again within this time, where nothing else is wrong. */
const learnMillis = 10_000;

/** What a world is made of. */
export interface WorldParts {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly trace: TraceOptions;
  /** Puts something between the processes and the store, below the wires: how tests break the engine on purpose. */
  readonly wrapStore: (store: Store, clock: VirtualClock) => Store;
  /** The same above the wires. */
  readonly wrapLink: (store: Store) => Store;
  /** The same between the engine of a process and both of its ports, above all that watches them. */
  readonly wrapPorts: (ports: Ports) => Ports;
  /** The same for the gate of a process. */
  readonly wrapGate: (gate: CallGate) => CallGate;
  /** The same for the server of a cluster's queue. */
  readonly wrapServer: (server: ShardQueue, clock: Clock) => ShardQueue;
}

/** See the file header. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  /** By the clock's monotonic time. */
  readonly begunAt: number = this.clock.monotonic();
  readonly trace: Trace;
  readonly ledger: Ledger;
  readonly downstreams: Downstreams;
  readonly holds: HoldBook = new HoldBook();
  /** The store without wires, for those who check. */
  readonly store: Store;
  readonly queueSide: QueueSide;
  /** The same, where it is a cluster's. */
  readonly cluster: ClusterSide | undefined;
  /** Whether faults happen now. */
  isStormy = true;
  isStoreUp = true;
  isQueueUp = true;
  /** Where callbacks go. */
  onCallback: (callback: CallbackPost) => void = () => undefined;
  /** Told of the place of a process that is about to read something for an execution. */
  onReading: (place: number) => void = () => undefined;
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #seats: readonly Seat[];
  readonly #front: Store;
  readonly #custody: Custody;
  readonly #poison: Poison;
  readonly #wrapLink: WorldParts['wrapLink'];
  readonly #wrapPorts: WorldParts['wrapPorts'];
  readonly #wrapGate: WorldParts['wrapGate'];
  /** When what was lost, changed or stood still last did so. */
  #unsettledUntil = 0;
  #excusedUntil = -Infinity;

  constructor({ scenario, random, trace, wrapStore, wrapLink, wrapPorts, wrapGate, wrapServer }: WorldParts) {
    this.#scenario = scenario;
    this.#random = random;
    this.trace = new Trace(this.clock, trace);
    this.ledger = new Ledger(this.clock, (what) => this.trace.note('store', what));
    this.#custody = new Custody((rule, what) => this.ledger.blame(rule, what));
    this.store = new MemoryStore(() => this.clock.now());
    this.#wrapLink = wrapLink;
    this.#wrapPorts = wrapPorts;
    this.#wrapGate = wrapGate;
    this.#poison = new Poison({
      ledger: this.ledger,
      isActive: () => this.isStormy && scenario.poison === true,
      missed: scenario.storeOutages + (isCalm(scenario.store) ? 0 : 2),
    });
    const settingWritten = (setting: string, text: string): void => {
      this.holds.written(setting, text);
      if (setting === 'queue.shardCount') this.#unsettle(0);
    };
    this.#front = wrapStore(observeStore(this.store, this.ledger, settingWritten), this.clock);
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
    for (const seat of this.#seats) this.#start(seat);
  }

  /** Processes that run or are frozen; none that is stopping. */
  get processes(): readonly Process[] {
    return this.#seats.flatMap(({ process }) => (process === undefined || process.isStopping ? [] : [process]));
  }

  /** Where calls go. */
  get hosts(): readonly string[] {
    return Array.from({ length: this.#scenario.gate?.hosts ?? 1 }, (_, host) => randomDefinitionHost(host));
  }

  /** The process that runs in a place, or is frozen. */
  processAt(place: number): Process | undefined {
    return this.#seats[place]?.process;
  }

  /** Everything works from now on: frozen processes thaw, empty places are filled. */
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
      if (seat.process === undefined) this.#start(seat);
      else seat.process.clock.thaw();
    }
  }

  /** The process is gone at once; another one is started in its place later. */
  crash(process: Process): void {
    const seat = this.#seatOf(process);
    if (seat === undefined) return;
    this.trace.note(process.name, 'crashes');
    // Until its heartbeat counts no more.
    this.#unsettle(this.#scenario.cluster?.ttlMillis ?? 0);
    process.clock.kill();
    this.#leave(seat);
  }

  /** Nothing reaches the process for a while, which may be longer than its leases. */
  freeze(process: Process): void {
    const { leaseMillis } = this.#scenario;
    const millis = this.#random.pick([300, 2_000, leaseMillis * 1.5, leaseMillis * 4]);
    this.trace.note(process.name, `freezes for ${String(millis)} ms`);
    this.#unsettle(millis);
    process.clock.freeze();
    this.clock.after(millis, () => {
      if (process.clock.isFrozen) this.trace.note(process.name, 'thaws');
      process.clock.thaw();
    });
  }

  /** The process stops in order; another one takes its place. */
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

  /** Loses ids of the queue: all, or each by chance. */
  wipe(): void {
    const share = this.#random.pick([1, 1, 0.5]);
    this.trace.note('queue', `loses ${String(share * 100)} %`);
    this.#excuse(share < 1);
    this.queueSide.lose(share, this.#random);
  }

  /** One shard of a cluster's queue is lost. */
  wipeShard(): void {
    this.trace.note('queue', 'loses a shard');
    this.#excuse(false);
    this.cluster?.wipeShard(this.#random);
  }

  /** The queue loses one id. */
  loseId(id: string): void {
    this.trace.note('queue', `loses ${id.slice(-4)}`);
    this.#unsettle(0);
    this.queueSide.loseId(id);
  }

  /** The server of a cluster's queue drops keys, each by chance. */
  evict(parts: readonly ShardPart[], share: number, members: number, random: Random): void {
    if (this.cluster === undefined) return;
    const lost = this.cluster.evict(parts, share, members, random);
    if (lost.length === 0) return;
    this.trace.note('queue', `drops ${lost.join(', ')}`);
    this.#unsettle(0);
  }

  /** The server of a cluster's queue runs anew. */
  restartServer(): void {
    const keepsData = this.#random.chance(0.4);
    this.trace.note('queue', `runs anew, ${keepsData ? 'with' : 'without'} its data`);
    this.#excuse(false);
    this.queueSide.restart(keepsData);
  }

  /** The queue can be reached again. */
  queueReturns(): void {
    if (this.isQueueUp) return;
    this.isQueueUp = true;
    for (const seat of this.#seats) seat.reconnect();
  }

  /** A process cannot reach the queue for a while; others can. */
  cut(process: Process): void {
    if (this.#seatOf(process)?.reach.cutOf('queue') !== undefined) return;
    this.sever(process, 'queue', 'refused', this.#random.pick([300, 1_500, 8_000]));
  }

  /** A process misses a server for a while; others reach it. Nothing happens where it misses it already. */
  sever(process: Process, server: Server, how: Cut, millis: number): void {
    const seat = this.#seatOf(process);
    if (seat === undefined || seat.reach.cutOf(server) !== undefined) return;
    this.trace.note(process.name, `is cut off from the ${server} (${how}) for ${String(millis)} ms`);
    seat.reach.cut(server, how);
    this.#unsettle(millis);
    this.clock.after(millis, () => this.#mend(seat, server));
  }

  /** What the store answers to reads of a process stays on the way for a while. */
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

  /** Restarts every process in turn, the next once the one before it is back; what starts is configured with that many shards. */
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
    // The number changes once the last one is back, and one that is frozen meanwhile learns of it when it thaws.
    if (this.#scenario.freeze > 0) this.ledger.amnestyUntil = this.#excusedUntil = this.clock.monotonic() + 30_000;
    next(this.#seats);
  }

  /**
   * The queue has lost something, and holders may work for a while who do not know that others got it. Where everything is
   * answered soon they assert their claims before that, unless the loss is a silent one.
   */
  #excuse(isSilent: boolean): void {
    this.#unsettle(0);
    const { leaseMillis, freeze, queueOutages, cluster } = this.#scenario;
    const until = this.clock.monotonic() + leaseMillis;
    this.ledger.amnestyUntil = until;
    const noticesSoon = freeze === 0 && queueOutages === 0 && cluster?.cuts === 0 && hasCalmWires(this.#scenario);
    if (isSilent || !noticesSoon) this.#excusedUntil = until + leaseMillis;
  }

  /** Whether nothing was lost, and nothing stood still, in the last `millis`. */
  hasSettled(millis: number): boolean {
    return this.clock.monotonic() >= this.#unsettledUntil + millis;
  }

  /** Something is lost now, or stands still for so long. */
  #unsettle(millis: number): void {
    this.#unsettledUntil = Math.max(this.#unsettledUntil, this.clock.monotonic() + millis);
  }

  #leave(seat: Seat): void {
    seat.process = undefined;
    const wait = this.isStormy ? this.#random.int(50, 4_000) : 50;
    this.clock.after(wait, () => {
      if (seat.process === undefined) this.#start(seat);
    });
  }

  #start(seat: Seat): void {
    const scenario = this.#scenario;
    const random = this.#random.fork();
    const { clock } = this;
    const name = `p${String(seat.index)}.${String(++seat.starts)}`;
    const time = new ProcessClock(clock, random.int(-scenario.skewMillis, scenario.skewMillis));
    const note = (what: string): void => this.trace.note(name, what);
    const wire = { clock, process: time, random };
    const trouble = (): void => this.#trouble(seat, random);
    const toStore = new Wire({
      ...wire,
      faults: () => (this.isStormy ? scenario.store : calmWire),
      isUp: () => this.isStoreUp,
      cut: () => seat.reach.cutOf('store'),
      unavailable: (what) => new StoreUnavailable('unreachable', `The store: ${what}.`),
      note,
      ordered: false,
      departing: trouble,
    });
    const toQueue = new Wire({
      ...wire,
      faults: () => (this.isStormy ? scenario.queue : calmWire),
      isUp: () => this.isQueueUp,
      cut: () => seat.reach.cutOf('queue'),
      unavailable: (what) => new QueueUnavailable(`The queue: ${what}.`),
      note,
      ordered: true,
      departing: trouble,
    });
    const linked = seat.reach.notice(this.#wrapLink(linkStore(seat.reach.watch(this.#front), toStore)));
    const store = this.#poison.reach(linked, () => {
      if (seat.process !== undefined) this.crash(seat.process);
    });
    const entropy = new SeededEntropy(random.int(1, 2_000_000_000));
    const telemetry = this.#telemetry(note);
    const { works } = seat;
    const isUp = (): boolean => this.isQueueUp && seat.reach.cutOf('queue') === undefined;
    const podId = `pod-${String(seat.index)}`;
    const user = { ...wire, name, podId, works, entropy, telemetry, wire: toQueue, isUp, store };
    const access = this.queueSide.connect(user);
    seat.reconnect = access.reconnect;
    const book = new LeaseBook(clock);
    const caller: Caller = { name, isDead: () => time.isDead, holds: (id) => book.holds(id) };
    const storeCuts = seat.reach.storeCuts - (seat.reach.cutOf('store') === undefined ? 0 : 1);
    const isStoreSteady = scenario.storeOutages === 0 && isCalm(scenario.store);
    const owner: ClaimOwner = {
      name,
      mayHaveEnded: () => time.isDead || time.freezes > 0 || seat.reach.storeCuts > storeCuts || !isStoreSteady,
    };
    const plans = new PlanCache({ store, telemetry, size: 20 });
    const settings: EngineSettings = {
      ...defaultEngineSettings,
      workerCount: scenario.workerCount,
      prefetch: scenario.workerCount,
      maxStepsPerExecution: scenario.maxStepsPerExecution,
      leaseMillis: scenario.leaseMillis,
      requestTimeoutMillis,
    };
    const { ledger } = this;
    const { workerCount } = scenario;
    const ofGate = { name, base: clock, clock: time, entropy, telemetry, store, ledger, workerCount };
    const gate = scenario.gate && new ProcessGate({ ...ofGate, scenario: scenario.gate });
    const engine = new Engine({
      ...(gate && { gate: this.#wrapGate(gate.keeper) }),
      ...this.#wrapPorts({
        store: book.watchStore(store, (claim) => ledger.vain.owns(claim, owner)),
        queue: book.watch(access.queue),
      }),
      clock: time,
      entropy,
      http: new HttpLink({
        ...wire,
        downstreams: this.downstreams,
        refused: (host) => (this.downstreams.refuses(host) ? 1 : this.isStormy ? scenario.refused : 0),
        departing: (departure) => {
          gate?.left(departure);
          this.ledger.departing(name, departure, book);
          this.#custody.left(caller, departure, clock.monotonic() <= this.#excusedUntil);
          trouble();
        },
        ended: (departure, verdict) => {
          gate?.ended(departure, verdict);
          this.#custody.ended(caller, departure);
        },
      }),
      telemetry,
      vault: {
        secret: () => undefined,
        variable: () => undefined,
        conceal: () => (text) => text,
        concealed: () => undefined,
      },
      callbacks: { keyFor: (used) => used ?? 'k', issue: issueCallback },
      masker: { text: (text) => text, headers: (headers) => headers },
      plans,
      runs: works,
      version: '1.0.0',
      settings,
    });
    const app = {
      ...appOver(store, time, entropy, plans, engine),
      ...(gate && { holdsChanged: gate.keeper.holdsChanged }),
    };
    seat.process = { name, clock: time, engine, app, queue: access.queue, gate, works, isStopping: false };
    note('starts');
    const { process } = seat;
    engine.start().catch((error: unknown) => {
      // Without the store a process of a cluster cannot start: it exits, and whoever watches over it tries again.
      if (error instanceof StoreUnavailable && this.cluster !== undefined) this.crash(process);
      else this.ledger.blame('start', `${name} could not start: ${String(error)}`);
    });
  }

  /** The moments at which a process meets its end are those at which it does something. */
  #trouble(seat: Seat, random: Random): void {
    const { crash, freeze } = this.#scenario;
    if (!this.isStormy || (crash === 0 && freeze === 0)) return;
    const { process } = seat;
    if (process === undefined || process.clock.isDead) return;
    if (random.chance(crash)) this.clock.after(random.int(0, 6), () => this.isStormy && this.crash(process));
    else if (random.chance(freeze)) this.clock.after(random.int(0, 6), () => this.isStormy && this.freeze(process));
  }

  /** A shard was found lost and filled again: something must have been lost lately, where everybody learns of it soon. */
  #rebuilt(note: (what: string) => void): void {
    note('rebuilt a shard');
    const isExpected = !learnsSoon(this.#scenario) || !this.hasSettled(learnMillis);
    if (!isExpected) this.ledger.blame('rebuilds', 'a shard was rebuilt, and nothing had been lost');
  }

  #telemetry(note: (what: string) => void): Telemetry {
    return {
      ...silentTelemetry,
      logs: () => true,
      log: (level, message, fields) => {
        if (level === 'debug') return;
        note(`log ${level}: ${message} ${JSON.stringify(fields ?? {})}`);
        // Nothing here gives the engine data that it could fail on.
        if (level === 'error') this.ledger.blame('engine fault', `${message} ${JSON.stringify(fields ?? {})}`);
      },
      rebuilt: () => this.#rebuilt(note),
      fenced: (reason) => note(`fenced: ${reason}`),
      reconciled: (status, ids) => note(`reconciled ${String(ids)} ${status}`),
    };
  }
}
