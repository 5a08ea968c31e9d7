import type { Registry } from 'prom-client';
import type { ExecutionStatus, TerminalStatus } from '../core/state.ts';
import { EventLoopLag, unusedPrecisionMillis } from './event-loop-lag.ts';
import type {
  DefinitionTelemetry,
  FencedReason,
  LogFields,
  LogLevel,
  LongTurnKind,
  Telemetry,
} from '../ports/telemetry.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { HistogramCell } from './cells.ts';
import { DefinitionSeries } from './definition-series.ts';
import { LabelGroups, type LabelGroup } from './label-groups.ts';
import { createSeries, type Series } from './series.ts';

/** Destination of log lines. */
export interface LogSink {
  /** Whether lines of this level are written. */
  writes(level: LogLevel): boolean;
  /** Writes one line. */
  write(level: LogLevel, message: string, fields: LogFields | undefined): void;
}

/** Gauge values, read at each scrape. */
export interface GaugeReadings {
  /** Undefined while the queue's server is unavailable. */
  readonly queueSize: number | undefined;
  /** Executions in hand and their approximate bytes; the use of worker places, if this process runs executions. */
  readonly load: {
    readonly busy: number;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly places?: Readonly<Record<string, number>>;
  };
  /** Whether the store answers, as far as this process knows. */
  readonly isDatabaseUp: boolean;
  /** Present if the store is a server. */
  readonly connections?: { readonly open: number; readonly idle: number; readonly waiting: number };
  /** Circuits that have opened since the start, by host, and the current holds. */
  readonly gate?: {
    readonly circuits: ReadonlyMap<string, boolean>;
    readonly holds: number;
    /** Blocked executions by cause. */
    readonly blocked: Readonly<Record<string, number>>;
  };
  /**
   * By group of files: whether changed certificates cannot be used, so that the process still uses the earlier ones.
   */
  readonly staleTls?: ReadonlyMap<string, boolean>;
  /** Present if processes share the queue. */
  readonly cluster?: {
    readonly activePods: number;
    readonly ownedShards: number;
    readonly shards: number;
    readonly membershipAgeMillis: number;
    readonly isPolicyUnsafe: boolean;
  };
  /** Undefined while the store is unavailable, which removes the series instead of showing old values. */
  readonly store?: {
    readonly executions: Readonly<Record<string, number>>;
    readonly oldestDueAgeMillis: number;
    readonly stuck: number;
    /** Ended executions whose hook is not delivered yet. */
    readonly pendingHooks: number;
    /** Executions that another one started and that are not over. */
    readonly openChildren: number;
    /** Executions that wait for a callback, by key id. */
    readonly waitingByKid: Readonly<Record<string, number>>;
  };
}

/** Bounds on label values that come from outside. */
export interface LabelLimits {
  readonly definitions: number;
  readonly steps: number;
  readonly hosts: number;
}

const defaultLimits: LabelLimits = { definitions: 200, steps: 1000, hosts: 200 };

/**
 * Longest `host` label: a DNS name with scheme and port. A longer host is unreachable, and may be as long as a request.
 */
const maxHostLength = 270;

/** The content type of {@link PrometheusTelemetry.metrics}. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** Loads prom-client, with the API of OpenTelemetry that it needs: 2 MiB that a process takes at its first scrape. */
async function createProcessSeries(lag: EventLoopLag): Promise<Registry> {
  const { Gauge, Registry: RegistryOf, collectDefaultMetrics } = await import('prom-client');
  const registry = new RegistryOf();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: unusedPrecisionMillis });
  lag.replaceIn(registry, Gauge);
  return registry;
}

/** A timer later than this was delayed by a long turn of the event loop. */
const lateMillis = 200;

interface OfDefinition {
  readonly name: string;
  readonly version: string;
}

interface HostCells {
  readonly group: LabelGroup;
  readonly byOutcome: Map<string, HistogramCell>;
}

/**
 * The telemetry port over Prometheus series and a log. Hot paths count in cells (see `cells.ts`); prom-client provides
 * the series of the Node process. {@link PrometheusTelemetry.metrics} returns both.
 */
export class PrometheusTelemetry implements Telemetry {
  /** Set at most once, before the first event; undefined without tracing. */
  tracer: Tracer | undefined;
  readonly #series: Series = createSeries();
  /** Cells of API requests by route, method and status: looking one up in its family takes a new text. */
  readonly #served = new Map<string, Map<string, Map<number, HistogramCell>>>();
  #lag: EventLoopLag | undefined;
  #process: Promise<Registry> | undefined;
  readonly #log: LogSink;
  readonly #definitionGroups: LabelGroups;
  readonly #stepGroups: LabelGroups;
  readonly #hostGroups: LabelGroups;
  readonly #definitions = new WeakMap<LabelGroup, DefinitionSeries>();
  readonly #hosts = new WeakMap<LabelGroup, HostCells>();
  readonly #commit: HistogramCell;
  readonly #commitSize: HistogramCell;
  readonly #dispatchDelay: HistogramCell;
  /** Total duration of the long turns reported since the last timer measurement, in milliseconds. */
  #explainedMillis = 0;
  #gauges: (() => Promise<GaugeReadings>) | undefined;

  constructor(log: LogSink, limits: LabelLimits = defaultLimits) {
    const series = this.#series;
    this.#log = log;
    this.#definitionGroups = new LabelGroups(limits.definitions, 2);
    this.#stepGroups = new LabelGroups(limits.steps, 3);
    this.#hostGroups = new LabelGroups(limits.hosts, 1);
    this.#commit = series.commit.cell();
    this.#commitSize = series.commitSize.cell();
    this.#dispatchDelay = series.dispatchDelay.cell();
  }

  /**
   * Measures the event loop from now on, and adds the series of the Node process to {@link PrometheusTelemetry.metrics}:
   * CPU, memory, garbage collection, event loop lag. A second call changes nothing.
   */
  watchProcess(): void {
    this.#lag ??= new EventLoopLag((millis) => {
      this.#timerWasLate(millis);
    });
  }

  /** Sets the source of gauges, read at each scrape; a later call replaces it. */
  readGaugesFrom(read: () => Promise<GaugeReadings>): void {
    this.#gauges = read;
  }

  /** All series in the Prometheus text format. Never rejects: gauges that cannot be read are left out. */
  async metrics(): Promise<string> {
    for (const groups of [this.#definitionGroups, this.#stepGroups, this.#hostGroups]) groups.epoch++;
    try {
      const readings = await this.#gauges?.();
      if (readings !== undefined) this.#setGauges(readings);
    } catch (error) {
      this.#clearStoreGauges();
      this.log('warn', 'gauges could not be read', { error: error instanceof Error ? error.message : String(error) });
    }
    const own = this.#series.families.render();
    if (this.#lag === undefined) return `${own}\n`;
    this.#process ??= createProcessSeries(this.#lag);
    return `${own}\n\n${await (await this.#process).metrics()}`;
  }

  #setGauges({ queueSize, load, isDatabaseUp, connections, gate, staleTls, cluster, store }: GaugeReadings): void {
    const series = this.#series;
    if (queueSize === undefined) series.queueSize.clear();
    else series.queueSize.cell().set(queueSize);
    series.workersBusy.cell().set(load.busy);
    for (const [cause, count] of Object.entries(load.places ?? {})) series.places.cell(cause).set(count);
    series.inHandBytes.cell().set(load.bytes);
    series.maxInHandBytes.cell().set(load.maxBytes);
    series.databaseUp.cell().set(isDatabaseUp ? 1 : 0);
    if (connections !== undefined) {
      series.databaseConnections.cell('busy').set(connections.open - connections.idle);
      series.databaseConnections.cell('idle').set(connections.idle);
      series.databaseWaiting.cell().set(connections.waiting);
    }
    for (const [group, isStale] of staleTls ?? []) series.staleTls.cell(group).set(isStale ? 1 : 0);
    if (gate !== undefined) {
      series.holds.cell().set(gate.holds);
      for (const [cause, count] of Object.entries(gate.blocked)) series.blocked.cell(cause).set(count);
      series.circuitOpen.clear();
      for (const [host, isOpen] of gate.circuits) series.circuitOpen.cell(host).set(isOpen ? 1 : 0);
    }
    if (cluster !== undefined) {
      series.activePods.cell().set(cluster.activePods);
      series.ownedShards.cell().set(cluster.ownedShards);
      series.shards.cell().set(cluster.shards);
      series.membershipAge.cell().set(Number.isFinite(cluster.membershipAgeMillis) ? cluster.membershipAgeMillis : -1);
      series.unsafePolicy.cell().set(cluster.isPolicyUnsafe ? 1 : 0);
    }
    this.#clearStoreGauges();
    if (store === undefined) return;
    series.oldestDueAge.cell().set(store.oldestDueAgeMillis / 1000);
    series.stuck.cell().set(store.stuck);
    series.hooksPending.cell().set(store.pendingHooks);
    series.childrenWaiting.cell().set(store.openChildren);
    for (const [status, count] of Object.entries(store.executions)) series.executions.cell(status).set(count);
    for (const [kid, count] of Object.entries(store.waitingByKid)) series.callbackWaiting.cell(kid).set(count);
  }

  #clearStoreGauges(): void {
    const names = [
      'oldestDueAge',
      'stuck',
      'hooksPending',
      'childrenWaiting',
      'executions',
      'callbackWaiting',
    ] as const;
    for (const name of names) this.#series[name].clear();
  }

  definition(name: string, version: string): DefinitionTelemetry {
    return this.#definitionSeries(name, version);
  }

  #definitionSeries(name: string, version: string): DefinitionSeries {
    const group = this.#definitionGroups.group(name, version);
    let series = this.#definitions.get(group);
    if (series === undefined) {
      series = new DefinitionSeries(group, this.#stepGroups, this.#series);
      this.#definitions.set(group, series);
    }
    return series;
  }

  logs(level: LogLevel): boolean {
    return this.#log.writes(level);
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    this.#log.write(level, message, fields);
  }

  committed(rows: number, millis: number): void {
    this.#commit.observe(millis / 1000);
    this.#commitSize.observe(rows);
  }

  submitted(rows: number, millis: number): void {
    this.committed(rows, millis);
  }

  dispatched(delayMillis: number): void {
    this.#dispatchDelay.observe(delayMillis / 1000);
  }

  called(host: string, outcome: 'response' | 'unsent' | 'timeout' | 'connect' | 'body', millis: number): void {
    const group = this.#hostGroups.group(host.length > maxHostLength ? host.slice(0, maxHostLength) : host);
    let cells = this.#hosts.get(group);
    if (cells === undefined) this.#hosts.set(group, (cells = { group, byOutcome: new Map<string, HistogramCell>() }));
    let cell = cells.byOutcome.get(outcome);
    if (cell === undefined) cells.byOutcome.set(outcome, (cell = group.cell(this.#series.httpCalls, outcome)));
    group.touch();
    cell.observe(millis / 1000);
  }

  storeFailed(operation: string, kind: string): void {
    this.#series.storeErrors.cell(operation, kind).add();
  }

  queueFailed(operation: string): void {
    this.#series.queueErrors.cell(operation).add();
  }

  fenced(reason: FencedReason): void {
    this.#series.fenced.cell(reason).add();
  }

  reconciled(status: ExecutionStatus, ids: number): void {
    this.#series.reconciled.cell(status).add(ids);
  }

  childEnded(status: TerminalStatus): void {
    this.#series.childrenEnded.cell(status).add(1);
  }

  claimScanned(): void {
    this.#series.claimScans.cell().add();
  }

  rebuilt(reason: 'first' | 'lost'): void {
    this.#series.rebuilds.cell(reason).add();
  }

  longTurn(kind: LongTurnKind, millis: number, fields: LogFields): void {
    this.#explainedMillis += millis;
    this.#series.longTurns.cell(kind).add();
    this.log('warn', 'long turn of the event loop', { kind, millis: Math.round(millis), ...fields });
  }

  /**
   * Called when a timer fires late. If the reported long turns do not explain most of the delay, reports one of kind
   * `other`.
   */
  #timerWasLate(millis: number): void {
    const explained = this.#explainedMillis;
    this.#explainedMillis = 0;
    if (millis > lateMillis && explained < millis / 2) this.longTurn('other', millis, {});
    this.#explainedMillis = 0;
  }

  /** Counts an accepted callback. */
  received({ name, version }: OfDefinition): void {
    this.#definitionSeries(name, version).callbackReceived();
  }

  /**
   * Counts a rejected callback. `of` is absent while its execution is unknown, so that a forged token cannot invent
   * definitions.
   */
  rejected(reason: string, of?: OfDefinition): void {
    if (of === undefined) this.#series.callbacksRejected.cell('', '', reason).add();
    else this.#definitionSeries(of.name, of.version).callbackRejected(reason);
  }

  /** Counts an API request refused for its credentials or origin. */
  authRejected(reason: string): void {
    this.#series.authRejected.cell(reason).add();
  }

  /** Counts spans that were sent to the collector, failed, or were dropped for lack of room. */
  traced(result: 'exported' | 'failed' | 'dropped', spans: number): void {
    this.#series.traceSpans.cell(result).add(spans);
  }

  /** Counts an answered API request. `route` is the template instead of the path, which keeps label values few. */
  served(method: string, route: string, status: number, millis: number): void {
    let ofRoute = this.#served.get(route);
    if (ofRoute === undefined) this.#served.set(route, (ofRoute = new Map<string, Map<number, HistogramCell>>()));
    let ofMethod = ofRoute.get(method);
    if (ofMethod === undefined) ofRoute.set(method, (ofMethod = new Map<number, HistogramCell>()));
    let cell = ofMethod.get(status);
    if (cell === undefined) ofMethod.set(status, (cell = this.#series.httpServer.cell(method, route, String(status))));
    cell.observe(millis / 1000);
  }
}
