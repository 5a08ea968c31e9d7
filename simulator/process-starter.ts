import { QueueUnavailable } from '../src/ports/queue.ts';
import { type Store, StoreUnavailable } from '../src/ports/store.ts';
import { silentTelemetry, type Telemetry } from '../src/ports/telemetry.ts';
import { Engine } from '../src/engine/engine.ts';
import type { CallGate } from '../src/engine/call/gate/call-gate.ts';
import { PlanCache } from '../src/engine/worker/plan-cache.ts';
import { defaultEngineSettings, type EngineSettings } from '../src/engine/settings.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { SeededEntropy } from './virtual-clock.ts';
import { issueCallback } from './callback-address.ts';
import type { Caller, SingleOwner } from './rules/single-owner.ts';
import type { Downstreams } from './downstreams.ts';
import { HttpLink } from './links/http-link.ts';
import type { Ledger } from './rules/ledger.ts';
import { LeaseBook } from './rules/lease-book.ts';
import { linkStore } from './links/links.ts';
import type { Poison } from './rules/poison.ts';
import { appOver, type Ports, type Process, type Seat } from './process.ts';
import { ProcessClock } from './process-clock.ts';
import { ProcessGate } from './process-gate.ts';
import type { ClusterSide, QueueSide } from './links/queue-side.ts';
import { isCalm, learnsSoon, type Scenario } from './scenario.ts';
import type { Trace } from './trace.ts';
import type { ClaimOwner } from './rules/unproductive-claims.ts';
import { calmWire, Wire } from './links/wire.ts';

/** Total time of a call, in milliseconds. */
export const requestTimeoutMillis = 5_000;
/** The loss of a queue's content is noticed and repaired within this time if nothing else is wrong. */
const learnMillis = 10_000;

/** The world, as its processes meet it. */
export interface ProcessWorld {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly ledger: Ledger;
  readonly downstreams: Downstreams;
  readonly queueSide: QueueSide;
  readonly cluster: ClusterSide | undefined;
  readonly isStormy: boolean;
  readonly isStoreUp: boolean;
  readonly isQueueUp: boolean;
  /** Whether two processes may work on one execution now, since the queue has lost something. */
  readonly isLossExcused: boolean;
  /** Whether nothing was lost, and nothing stood still, in the last `millis`. */
  hasSettled(millis: number): boolean;
  crash(process: Process): void;
  freeze(process: Process): void;
}

/** How tests break the engine on purpose, by wrapping what its processes work with. */
export interface ProcessWraps {
  /** Wraps the store above the wires. */
  readonly wrapLink: (store: Store) => Store;
  /** Wraps both ports of an engine, above everything that watches them. */
  readonly wrapPorts: (ports: Ports) => Ports;
  /** Wraps the gate of a process. */
  readonly wrapGate: (gate: CallGate) => CallGate;
}

/** What a process starter needs in addition to the world. */
export interface ProcessStarterParts extends ProcessWraps {
  readonly random: Random;
  /** The store that all processes share, below the wires. */
  readonly store: Store;
  readonly poison: Poison;
  readonly owners: SingleOwner;
}

/** Starts the processes of a simulated world: a real engine with a clock of its own, over simulated ports. */
export class ProcessStarter {
  readonly #world: ProcessWorld;
  readonly #parts: ProcessStarterParts;

  constructor(world: ProcessWorld, parts: ProcessStarterParts) {
    this.#world = world;
    this.#parts = parts;
  }

  /** Starts the next process of a seat. */
  start(seat: Seat): void {
    const scenario = this.#world.scenario;
    const random = this.#parts.random.fork();
    const { clock, ledger } = this.#world;
    const name = `p${String(seat.index)}.${String(++seat.starts)}`;
    const time = new ProcessClock(clock, random.int(-scenario.skewMillis, scenario.skewMillis));
    const note = (what: string): void => this.#world.trace.note(name, what);
    const wire = { clock, process: time, random };
    const trouble = (): void => this.#trouble(seat, random);
    const toStore = new Wire({
      ...wire,
      faults: () => (this.#world.isStormy ? scenario.store : calmWire),
      isUp: () => this.#world.isStoreUp,
      cut: () => seat.reach.cutOf('store'),
      unavailable: (what) => new StoreUnavailable('unreachable', `The store: ${what}.`),
      note,
      ordered: false,
      departing: trouble,
    });
    const toQueue = new Wire({
      ...wire,
      faults: () => (this.#world.isStormy ? scenario.queue : calmWire),
      isUp: () => this.#world.isQueueUp,
      cut: () => seat.reach.cutOf('queue'),
      unavailable: (what) => new QueueUnavailable(`The queue: ${what}.`),
      note,
      ordered: true,
      departing: trouble,
    });
    const linked = seat.reach.notice(this.#parts.wrapLink(linkStore(seat.reach.watch(this.#parts.store), toStore)));
    const store = this.#parts.poison.reach(linked, () => {
      if (seat.process !== undefined) this.#world.crash(seat.process);
    });
    const entropy = new SeededEntropy(random.int(1, 2_000_000_000));
    const telemetry = this.#telemetry(note);
    const { works } = seat;
    const isUp = (): boolean => this.#world.isQueueUp && seat.reach.cutOf('queue') === undefined;
    const podId = `pod-${String(seat.index)}`;
    const user = { ...wire, name, podId, works, entropy, telemetry, wire: toQueue, isUp, store };
    const access = this.#world.queueSide.connect(user);
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
    const { workerCount } = scenario;
    const ofGate = { name, base: clock, clock: time, entropy, telemetry, store, ledger, workerCount };
    const gate = scenario.gate && new ProcessGate({ ...ofGate, scenario: scenario.gate });
    const engine = new Engine({
      ...(gate && { gate: this.#parts.wrapGate(gate.keeper) }),
      ...this.#parts.wrapPorts({
        store: book.watchStore(store, (claim) => ledger.claims.owns(claim, owner)),
        queue: book.watch(access.queue),
      }),
      clock: time,
      entropy,
      http: new HttpLink({
        ...wire,
        downstreams: this.#world.downstreams,
        refused: (host) => (this.#world.downstreams.refuses(host) ? 1 : this.#world.isStormy ? scenario.refused : 0),
        departing: (departure) => {
          gate?.left(departure);
          ledger.departing(name, departure, book);
          this.#parts.owners.left(caller, departure, this.#world.isLossExcused);
          trouble();
        },
        ended: (departure, verdict) => {
          gate?.ended(departure, verdict);
          this.#parts.owners.ended(caller, departure);
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
      masker: { text: (text) => text, json: (value) => value, headers: (headers) => headers },
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
      // Without the store a process of a cluster cannot start: it exits, and its supervisor starts it again.
      if (error instanceof StoreUnavailable && this.#world.cluster !== undefined) this.#world.crash(process);
      else this.#world.ledger.blame('start', `${name} could not start: ${String(error)}`);
    });
  }

  /** Lets a process crash or freeze at a moment at which it does something. */
  #trouble(seat: Seat, random: Random): void {
    const { crash, freeze } = this.#world.scenario;
    if (!this.#world.isStormy || (crash === 0 && freeze === 0)) return;
    const { process } = seat;
    if (process === undefined || process.clock.isDead) return;
    if (random.chance(crash))
      this.#world.clock.after(random.int(0, 6), () => this.#world.isStormy && this.#world.crash(process));
    else if (random.chance(freeze))
      this.#world.clock.after(random.int(0, 6), () => this.#world.isStormy && this.#world.freeze(process));
  }

  /**
   * Notes that a shard was found lost and filled again. If all processes learn of losses soon, something must have been
   * lost recently.
   */
  #rebuilt(note: (what: string) => void): void {
    note('rebuilt a shard');
    const isExpected = !learnsSoon(this.#world.scenario) || !this.#world.hasSettled(learnMillis);
    if (!isExpected) this.#world.ledger.blame('rebuilds', 'a shard was rebuilt, and nothing had been lost');
  }

  #telemetry(note: (what: string) => void): Telemetry {
    return {
      ...silentTelemetry,
      logs: () => true,
      log: (level, message, fields) => {
        if (level === 'debug') return;
        note(`log ${level}: ${message} ${JSON.stringify(fields ?? {})}`);
        // No simulated data makes the engine fail.
        if (level === 'error') this.#world.ledger.blame('engine fault', `${message} ${JSON.stringify(fields ?? {})}`);
      },
      rebuilt: () => this.#rebuilt(note),
      fenced: (reason) => note(`fenced: ${reason}`),
      reconciled: (status, ids) => note(`reconciled ${String(ids)} ${status}`),
    };
  }
}
