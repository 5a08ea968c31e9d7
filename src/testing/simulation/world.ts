/**
 * The simulated world: one store, one queue and the downstreams, and a few places where processes run, crash, freeze and
 * are started again. Everything in one thread, moved by one virtual clock.
 */
import type { Json } from '../../core/json.ts';
import { QueueUnavailable } from '../../ports/queue.ts';
import { type Store, StoreUnavailable } from '../../ports/store.ts';
import { silentTelemetry, type Telemetry } from '../../ports/telemetry.ts';
import { MemoryQueueHub } from '../../queue/memory/memory-queue.ts';
import type { CallbackClaims, CheckedToken, DeskParts } from '../../runtime/desk/parts.ts';
import { Engine } from '../../runtime/engine.ts';
import { PlanCache } from '../../runtime/plan-cache.ts';
import { defaultEngineSettings, type EngineSettings } from '../../runtime/settings.ts';
import { MemoryStore } from '../../store/memory/memory-store.ts';
import type { Random } from '../random.ts';
import { SeededEntropy, VirtualClock } from '../virtual-clock.ts';
import { type CallbackPost, Downstreams, goodManners } from './downstreams.ts';
import { HttpLink } from './http-link.ts';
import { Ledger } from './ledger.ts';
import { linkStore, QueueLink } from './links.ts';
import { observeStore } from './observed-store.ts';
import { ProcessClock } from './process-clock.ts';
import type { Scenario } from './scenario.ts';
import { Trace, type TraceOptions } from './trace.ts';
import { calmWire, Wire } from './wire.ts';

/** How long a claim holds in simulations, in milliseconds. Short, so that little time is spent waiting for one to end. */
export const leaseMillis = 4_000;
/** Total time of a call, in milliseconds. */
export const requestTimeoutMillis = 5_000;
const drainTimeoutMillis = 3_000;

/** A process that runs, or is frozen. */
export interface Process {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly engine: Engine;
  readonly desk: DeskParts;
  isStopping: boolean;
}

/** A place where a process runs; undefined between two of them. */
interface Seat {
  readonly index: number;
  starts: number;
  process: Process | undefined;
}

/** What a world is made of. */
export interface WorldParts {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly trace: TraceOptions;
  /** Puts something between the processes and the store, below the wires: how tests break the engine on purpose. */
  readonly wrapStore: (store: Store, clock: VirtualClock) => Store;
}

/** See the file header. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly trace: Trace;
  readonly ledger: Ledger;
  readonly downstreams: Downstreams;
  /** The store without wires, for those who check. */
  readonly store: Store;
  readonly hub: MemoryQueueHub;
  /** Whether faults happen now. */
  isStormy = true;
  isStoreUp = true;
  isQueueUp = true;
  /** Where callbacks go. */
  onCallback: (callback: CallbackPost) => void = () => undefined;
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #seats: readonly Seat[];
  readonly #front: Store;

  constructor({ scenario, random, trace, wrapStore }: WorldParts) {
    this.#scenario = scenario;
    this.#random = random;
    this.trace = new Trace(this.clock, trace);
    this.ledger = new Ledger(
      () => this.clock.monotonic(),
      (what) => this.trace.note('store', what),
    );
    this.store = new MemoryStore();
    this.#front = wrapStore(observeStore(this.store, this.ledger), this.clock);
    this.hub = new MemoryQueueHub(this.clock);
    this.downstreams = new Downstreams({
      clock: this.clock,
      random: random.fork(),
      manners: () => (this.isStormy ? scenario.manners : goodManners),
      definitionOf: (id) => this.ledger.accounts.get(id)?.definition,
      post: (callback) => this.onCallback(callback),
      note: (what) => this.trace.note('downstream', what),
    });
    this.#seats = Array.from({ length: scenario.processes }, (_, index) => ({ index, starts: 0, process: undefined }));
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

  /** Everything works from now on: frozen processes thaw, empty places are filled. */
  calm(): void {
    this.trace.note('world', 'calm');
    this.isStormy = false;
    this.isStoreUp = true;
    this.isQueueUp = true;
    for (const seat of this.#seats) {
      if (seat.process === undefined) this.#start(seat);
      else seat.process.clock.thaw();
    }
  }

  /** The process is gone at once; another one is started in its place later. */
  crash(process: Process): void {
    const seat = this.#seats.find((candidate) => candidate.process === process);
    if (seat === undefined) return;
    this.trace.note(process.name, 'crashes');
    process.clock.kill();
    this.#leave(seat);
  }

  /** Nothing reaches the process for a while, which may be longer than its leases. */
  freeze(process: Process): void {
    const millis = this.#random.pick([300, 2_000, leaseMillis * 1.5, leaseMillis * 4]);
    this.trace.note(process.name, `freezes for ${String(millis)} ms`);
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
          const seat = this.#seats.find((candidate) => candidate.process === process);
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
    this.ledger.amnestyUntil = this.clock.monotonic() + leaseMillis;
    this.hub.wipe(() => this.#random.chance(share));
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
      unavailable: (what) => new StoreUnavailable('unreachable', `The store: ${what}.`),
      note,
      ordered: false,
      departing: trouble,
    });
    const toQueue = new Wire({
      ...wire,
      faults: () => (this.isStormy ? scenario.queue : calmWire),
      isUp: () => this.isQueueUp,
      unavailable: (what) => new QueueUnavailable(`The queue: ${what}.`),
      note,
      ordered: true,
      departing: trouble,
    });
    const store = linkStore(this.#front, toStore);
    const queue = new QueueLink(this.hub.connect(name), {
      ...wire,
      wire: toQueue,
      ringFaults: () => (this.isStormy ? scenario.rings : { lost: 0, doubled: 0 }),
    });
    const entropy = new SeededEntropy(random.int(1, 2_000_000_000));
    const telemetry = this.#telemetry(note);
    const plans = new PlanCache({ store, telemetry, size: 20 });
    const settings: EngineSettings = {
      ...defaultEngineSettings,
      workerCount: scenario.workerCount,
      prefetch: scenario.workerCount,
      maxStepsPerExecution: scenario.maxStepsPerExecution,
      leaseMillis,
      requestTimeoutMillis,
    };
    const engine = new Engine({
      clock: time,
      entropy,
      store,
      queue,
      http: new HttpLink({
        ...wire,
        downstreams: this.downstreams,
        refused: () => (this.isStormy ? scenario.refused : 0),
        departing: (departure) => {
          this.ledger.departing(name, departure, queue.holds(departure.executionId));
          trouble();
        },
      }),
      telemetry,
      vault: { secret: () => undefined, variable: () => undefined, conceal: () => (text) => text },
      callbacks: { issue: issueCallback },
      masker: { text: (text) => text, headers: (headers) => headers },
      plans,
      runs: true,
      settings,
    });
    const desk = this.deskOver(store, time, entropy, plans, engine);
    seat.process = { name, clock: time, engine, desk, isStopping: false };
    note('starts');
    engine.start().catch((error: unknown) => this.ledger.blame('start', `${name} could not start: ${String(error)}`));
  }

  /** The application services over a store. */
  deskOver(
    store: Store,
    clock: DeskParts['clock'],
    entropy: DeskParts['entropy'],
    plans: DeskParts['plans'],
    engine: DeskParts['engine'],
  ): DeskParts {
    return {
      store,
      clock,
      entropy,
      plans,
      engine,
      tokens: { verify: verifyToken },
      masker: { json: (value: Json) => value, headers: (headers) => headers },
      limits: defaultEngineSettings.limits,
      maxHistoryBody: defaultEngineSettings.maxHistoryBody,
      variable: () => undefined,
    };
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
      fenced: (reason) => note(`fenced: ${reason}`),
      reconciled: (ids) => note(`reconciled ${String(ids)}`),
    };
  }
}

function issueCallback(claims: CallbackClaims): { url: string; token: string; signedUrl: string } {
  const { executionId, round, nodeId, visit, operation, nonce } = claims;
  const token = [executionId, round, nodeId, visit, operation, nonce].join('~');
  return { url: 'http://trama.test/callback', token, signedUrl: `http://trama.test/callback/${token}` };
}

function verifyToken(token: string): CheckedToken {
  const [executionId = '', round, nodeId = '', visit, operation, nonce = ''] = token.split('~');
  return {
    ok: true,
    claims: { executionId, round: Number(round), nodeId, visit: Number(visit), operation: Number(operation), nonce },
  };
}

/** What a callback's address says, for whoever posts to it. */
export function tokenOf(address: string): { readonly token: string; readonly claims: CallbackClaims } {
  const token = address.slice(address.lastIndexOf('/') + 1);
  const checked = verifyToken(token);
  if (!checked.ok) throw new Error(`No callback address: ${address}.`);
  return { token, claims: checked.claims };
}
