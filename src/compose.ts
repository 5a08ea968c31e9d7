/**
 * The composition root: the only file that names concrete adapters. Everything that is started here is stopped here, in
 * order: not ready, no claims, drain, flush, no more requests, queue, outbound calls, store, log.
 */
import type { FastifyInstance } from 'fastify';
import { createServer } from './api/server.ts';
import { renewServerTls } from './api/http/server-tls.ts';
import { recordAccess } from './compose/access/access-record.ts';
import { accessOptions } from './compose/access/authenticator.ts';
import { createCaller } from './compose/caller.ts';
import { createCallbackIssuer, withoutAsyncNodes } from './compose/access/callback-addresses.ts';
import { resolveCallbackKeys } from './compose/access/callback-keys.ts';
import { definitionLimits, engineSettings } from './compose/engine-settings.ts';
import { createStoreGauges } from './telemetry/gauges.ts';
import { localUrl, reachableUrl, type Listening } from './compose/addresses.ts';
import { checkQueue, createQueue, createStore, placeOf, type QueueChoice } from './compose/backends.ts';
import { clusterReadings, createClusterSource, gateReadings, loadOf } from './compose/cluster-source.ts';
import { lastWords } from './compose/last-words.ts';
import { Maintenance } from './engine/upkeep/maintenance.ts';
import { createGate } from './compose/gate.ts';
import { refusePromoted } from './compose/promotion/promotion-guard.ts';
import { readyFields } from './compose/ready-line.ts';
import { StartPatience } from './engine/upkeep/start-patience.ts';
import { StoreClock } from './engine/upkeep/store-clock.ts';
import { systemClock } from './compose/system-clock.ts';
import { createSystemEntropy } from './compose/system-entropy.ts';
import { followServerTls } from './compose/tls/server-tls.ts';
import { invalidCertificates } from './compose/tls/tls-files.ts';
import { TlsRenewal } from './compose/tls/tls-renewal.ts';
import { observeRequests, startTracing, type Tracing } from './compose/tracing.ts';
import type { CallbackKey, Config } from './config/config.ts';
import { isLoopback } from './config/rules.ts';
import { definitionJsonSchema } from './core/definition/shape/json-schema.ts';
import { OwnListeners } from './http-caller/own-listeners.ts';
import type { HttpCaller } from './ports/http-caller.ts';
import type { Clock } from './ports/clock.ts';
import type { Store } from './ports/store.ts';
import { KnownDefinitions } from './app/known-definitions.ts';
import type { AppContext } from './app/context.ts';
import { showStep } from './app/queries/shown-body.ts';
import { Engine } from './engine/engine.ts';
import type { Gatekeeper } from './engine/call/gate/gatekeeper.ts';
import { PlanCache } from './engine/worker/plan-cache.ts';
import type { MemberLoad } from './engine/queue/sharding/member-info.ts';
import { longTurnMillis } from './engine/watchdog.ts';
import { CallbackTokens } from './security/callback-token.ts';
import { Masker } from './security/secrets/masking.ts';
import { Secrets } from './security/secrets/secrets.ts';
import { createLog, type Log } from './telemetry/logger.ts';
import { metricsContentType, PrometheusTelemetry } from './telemetry/prometheus-telemetry.ts';

/** What a server needs besides its configuration. */
export interface TramaOptions {
  /** The environment, for secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** File descriptor of the log; standard output by default. */
  readonly logTo?: number;
}

/** As many statements as an engine has under way: an insert, checkpoints, take-overs, reads. */
const warmConnections = 4;

/** How long requests under way may take once everything else has stopped. */
const closeGraceMillis = 5000;

/** Reasons that keep a process from working, and not from serving the API. */
const workerReasons: ReadonlySet<string> = new Set([
  'consumer_stalled',
  'redis_unreachable',
  'membership_stale',
  'pod_id_conflict',
]);

/** Everything that exists once the start is done; what is missing was not reached. */
interface Running {
  store?: Store;
  caller?: HttpCaller;
  clock?: StoreClock;
  engine?: Engine;
  server?: FastifyInstance;
  maintenance?: Maintenance;
  tracing?: Tracing | undefined;
}

/** Whom the gauges ask. */
interface GaugeSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly plans: PlanCache;
  readonly choice: QueueChoice;
  readonly engine: Engine;
  readonly gate: Gatekeeper;
}

/** Makes a server. Nothing is opened, listened to or written before `start`. */
export async function createTrama(config: Config, options: TramaOptions): Promise<Trama> {
  const environment = options.env;
  // Trouble with secrets may be found before there is a log to write it to.
  const early: string[] = [];
  const sink: { report: (problem: string) => void } = { report: (problem) => early.push(problem) };
  const secrets = new Secrets({
    environment,
    environmentPrefix: config.secrets.envPrefix,
    variables: config.vars,
    hosts: config.secrets.hosts,
    report: (problem) => {
      sink.report(problem);
    },
    ...(config.secrets.dir === undefined ? {} : { directory: config.secrets.dir }),
  });
  const masker = new Masker(secrets);
  const { logTo = 1 } = options;
  const log = await createLog({
    level: config.logging.level,
    format: config.logging.format ?? (logTo === 1 && process.stdout.isTTY ? 'pretty' : 'json'),
    mask: (line) => masker.text(line),
    destination: logTo,
  });
  const telemetry = new PrometheusTelemetry(log);
  sink.report = (problem): void => {
    telemetry.log('warn', problem);
  };
  early.forEach(sink.report);
  return new Trama(config, options.version, { secrets, masker, log, telemetry });
}

interface Surroundings {
  readonly secrets: Secrets;
  readonly masker: Masker;
  readonly log: Log;
  readonly telemetry: PrometheusTelemetry;
}

/** One server: API, engine, store and queue in this process. Made by {@link createTrama}. */
export class Trama {
  readonly #config: Config;
  readonly #version: string;
  readonly #surroundings: Surroundings;
  readonly #running: Running = {};
  /** What calls may not reach, or only in part. */
  readonly #own: OwnListeners;
  readonly #patience: StartPatience;
  readonly #renewal: TlsRenewal;
  #opened: Promise<readonly CallbackKey[]> | undefined;
  #tokens: CallbackTokens | undefined;
  #listening: Listening | undefined;
  #isReady = false;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #isHurried = false;
  /** The `maxmemory-policy` of Redis. */
  #policy: string | undefined;

  constructor(config: Config, version: string, surroundings: Surroundings) {
    this.#config = config;
    this.#version = version;
    this.#surroundings = surroundings;
    this.#own = new OwnListeners(config.http.egress.allowOwn, config.runtime.callback.baseUrl);
    const { telemetry } = surroundings;
    this.#patience = new StartPatience({ clock: systemClock, telemetry, place: placeOf(config) });
    const doubts = (now: number): readonly string[] => invalidCertificates(config, now);
    this.#renewal = new TlsRenewal({ clock: systemClock, telemetry, doubts });
    // A directory of this machine does not come by itself.
    if (config.database.driver === 'EMBEDDED') this.#patience.giveUp();
  }

  /** Where the server is for callers on this machine, without a slash at the end. Throws before it listens. */
  get url(): string {
    if (this.#listening === undefined) throw new Error('The server does not listen.');
    return localUrl(this.#listening);
  }

  /**
   * Opens the store, listens, goes on with whatever is unfinished. `startedAt` is when the process began to start, in
   * milliseconds of `performance.now()`, for the log. A second call waits for the first.
   *
   * @throws Error with a sentence for people: directory in use, port taken, unreadable certificate. Then call `stop`.
   */
  start(startedAt: number = performance.now()): Promise<void> {
    this.#starting ??= this.#start(startedAt).catch((error: unknown) => {
      // Before what the stop says.
      this.#surroundings.telemetry.log('error', 'the start failed', { error: String(error) });
      throw error;
    });
    return this.#starting;
  }

  /**
   * Stops in order; see the file header. A start that waits for its store gives up. A second call waits for the first; before `start`
   * it only closes the log.
   */
  stop(): Promise<void> {
    this.#patience.giveUp();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the waiting of a start and of a stop, under way or to come: calls in flight are given up, connections closed. */
  hurry(): void {
    this.#isHurried = true;
    this.#patience.giveUp();
    this.#running.engine?.force();
    this.#running.server?.server.closeAllConnections();
  }

  /**
   * Writes down an error that nothing handled. Answers a sentence about it, masked, where the log does not take it.
   * It ends nothing.
   */
  lastWords(error: unknown): string | undefined {
    return lastWords(error, this.#surroundings);
  }

  async #start(startedAt: number): Promise<void> {
    const config = this.#config;
    const { telemetry } = this.#surroundings;
    for (const sentence of invalidCertificates(config, Date.now())) telemetry.log('warn', sentence);
    this.#running.tracing = await startTracing(config.telemetry, this.#version, telemetry);
    const caller = createCaller(config, { version: this.#version, own: this.#own, renewal: this.#renewal });
    this.#running.caller = caller;
    const store = await this.#openStore();
    const clock = this.#clockOf();
    const entropy = createSystemEntropy();
    const gate = createGate(config, { clock, entropy, store, telemetry, masker: this.#surroundings.masker });
    const load = (): MemberLoad => loadOf(gate, config.runtime.enabled, this.#running.engine?.load());
    const choice = await createQueue({
      config,
      version: this.#version,
      clock,
      entropy,
      telemetry,
      store,
      renewal: this.#renewal,
      load,
      policy: (policy) => {
        this.#policy = policy;
      },
    });
    const { queue } = choice;
    const plans = new PlanCache({
      store,
      telemetry,
      size: engineSettings(config).planCacheSize,
      limits: definitionLimits(config),
    });
    const engine = new Engine({
      clock,
      entropy,
      store,
      queue,
      http: caller,
      telemetry,
      vault: this.#surroundings.secrets,
      callbacks: createCallbackIssuer(
        () => this.#liveTokens(),
        () => this.#callbackBase(),
      ),
      masker: this.#surroundings.masker,
      gate,
      plans,
      runs: config.runtime.enabled,
      version: this.#version,
      settings: engineSettings(config),
    });
    this.#running.engine = engine;
    const api = await this.#build(store, {
      store,
      clock,
      entropy,
      plans: this.#canBeCalledBack ? plans : withoutAsyncNodes(plans),
      known: new KnownDefinitions(engineSettings(config).planCacheSize),
      engine,
      tokens: { verify: (token) => this.#liveTokens().verify(token) },
      masker: this.#surroundings.masker,
      limits: engineSettings(config).limits,
      maxHistoryBody: engineSettings(config).maxHistoryBody,
      maxOutputBytes: config.runtime.maxOutputBytes,
      variable: (name) => this.#surroundings.secrets.variable(name),
      callbacks: telemetry,
      holdsChanged: gate.holdsChanged,
      cluster: createClusterSource({
        config,
        version: this.#version,
        choice,
        gate,
        load,
        policy: () => this.#policy,
      }),
    });
    await api.ready();
    const keys = (await this.#opened) ?? [];
    this.#tokens = new CallbackTokens(keys);
    if (config.metrics.enabled) {
      this.#readGauges(
        { store, clock, plans, choice, engine, gate },
        keys.map((key) => key.kid),
      );
    }
    await checkQueue(config, store);
    await this.#running.clock?.follow(store);
    await recordAccess(config.security.auth, { store, clock, entropy });
    await this.#listen(api);
    this.#renewal.start();
    await engine.start();
    if (config.maintenance.enabled) {
      const maintenance = new Maintenance({
        store,
        clock,
        telemetry,
        ...config.maintenance,
        // Whoever has the first slot: one of the workers, or the only one.
        isOurs: () => config.runtime.enabled && queue.owns(0),
      });
      this.#running.maintenance = maintenance;
      maintenance.start();
    }
    this.#isReady = true;
    telemetry.log('info', 'ready', readyFields(config, this.url, startedAt));
    if (config.metrics.enabled) await telemetry.watchProcess();
  }

  /** Begins to open the store: what is built here meanwhile costs no time. */
  async #openStore(): Promise<Store> {
    const store = await createStore(this.#config, {
      migrate: true,
      renewal: this.#renewal,
      warmConnections,
      showStep: showStep({
        masker: this.#surroundings.masker,
        maxHistoryBody: engineSettings(this.#config).maxHistoryBody,
      }),
      onFault: ({ level = 'error', message, error }) => {
        this.#surroundings.telemetry.log(level, message, { error: error?.message });
      },
    });
    this.#running.store = store;
    this.#opened = this.#patience
      .until(() => store.open())
      .then(async () => {
        await refusePromoted(this.#config, store);
        return resolveCallbackKeys(this.#config.runtime.callback, store);
      });
    // The start awaits it later; that it failed before must not look like an error that nobody handles.
    this.#opened.catch(() => undefined);
    return store;
  }

  /** Where several processes share a store, its clock counts for all of them. */
  #clockOf(): Clock {
    if (this.#config.database.driver === 'EMBEDDED') return systemClock;
    const clock = new StoreClock(systemClock, this.#surroundings.telemetry);
    this.#running.clock = clock;
    return clock;
  }

  #liveTokens(): CallbackTokens {
    if (this.#tokens === undefined) throw new Error('Callback tokens are asked for before the store is open.');
    return this.#tokens;
  }

  #readGauges(parts: GaugeSources, kids: readonly string[]): void {
    const { store, clock, plans, choice, engine, gate } = parts;
    const { queue, cluster } = choice;
    const { requestTimeoutMillis, maxTimeoutMillis } = this.#config.http;
    const readStore = createStoreGauges({
      store,
      clock,
      plans,
      kids,
      requestTimeoutMillis,
      maxTimeoutMillis,
      storeAnswers: () => engine.storeAnswers,
      running: () => engine.running(),
      isOfAnother: (claim) => engine.isOfAnother(claim),
      shards: () => queue.owned,
    });
    this.#surroundings.telemetry.readGaugesFrom(async () => {
      const [size, readings] = await Promise.all([
        // Redis or the store may be away; the rest of the metrics is wanted then more than ever.
        queue.size().catch(() => undefined),
        readStore().catch(() => undefined),
      ]);
      const own = {
        queueSize: size === undefined ? undefined : size.ready + size.inFlight,
        load: engine.load(),
        isDatabaseUp: engine.storeAnswers,
        ...(store.connectionCounts === undefined ? {} : { connections: store.connectionCounts }),
        gate: gateReadings(gate),
        staleTls: this.#renewal.stale,
        ...(cluster === undefined ? {} : { cluster: clusterReadings(cluster, this.#policy) }),
      };
      return readings === undefined ? own : { ...own, store: readings };
    });
  }

  get #canBeCalledBack(): boolean {
    const { runtime, server } = this.#config;
    return runtime.callback.baseUrl !== undefined || (isLoopback(server.host) && server.api);
  }

  #callbackBase(): string {
    const { baseUrl } = this.#config.runtime.callback;
    if (baseUrl !== undefined) return baseUrl;
    if (this.#listening === undefined) throw new Error('Calls are made before the server listens.');
    return reachableUrl(this.#listening);
  }

  async #build(auditLog: Store, app: AppContext): Promise<FastifyInstance> {
    const { server, metrics } = this.#config;
    const { telemetry } = this.#surroundings;
    const tls = followServerTls(server.tls, this.#renewal, (renewed) => {
      renewServerTls(api, renewed);
    });
    const api = createServer({
      app,
      auditLog,
      health: { live: () => this.#live(), ready: (scope) => this.#ready(scope) },
      log: telemetry,
      version: this.#version,
      definitionSchema: definitionJsonSchema(definitionLimits(this.#config)),
      ...(await accessOptions(this.#config, app.clock, telemetry)),
      ...(tls === undefined ? {} : { tls }),
      ...observeRequests(telemetry, metrics.enabled),
      worked: (route, millis) => {
        if (millis > longTurnMillis) telemetry.longTurn('request', millis, { route });
      },
      ...(metrics.enabled
        ? { metrics: async () => ({ contentType: metricsContentType, text: await telemetry.metrics() }) }
        : {}),
    });
    this.#running.server = api;
    return api;
  }

  async #listen(api: FastifyInstance): Promise<void> {
    const { server } = this.#config;
    await api.listen({ host: server.host, port: server.port });
    for (const bound of api.addresses()) if (typeof bound === 'object') this.#own.add(bound.address, bound.port);
    const address = api.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : server.port;
    this.#listening = { host: server.host, port, isTls: server.tls.certFile !== undefined };
  }

  #live(): readonly string[] {
    const { engine, maintenance } = this.#running;
    const health = engine?.health();
    const problems = health === undefined || health.alive ? [] : [`Stalled: ${health.stalled.join(', ')}.`];
    if ((maintenance?.stalledMillis ?? 0) > this.#config.runtime.livenessStallMillis)
      problems.push('Stalled: retention.');
    return problems;
  }

  #ready(scope: 'all' | 'api'): readonly string[] {
    const { engine } = this.#running;
    // Between listening and the engine's start nothing is wrong, and nothing is ready.
    const unready = engine === undefined || !this.#isReady ? (['consumer_stalled'] as const) : engine.health().unready;
    // Who works on nothing needs nothing that workers need.
    const looksAtAll = scope === 'all' && this.#config.runtime.enabled;
    return looksAtAll ? unready : unready.filter((reason) => !workerReasons.has(reason));
  }

  async #stop(): Promise<void> {
    const { log, telemetry } = this.#surroundings;
    await this.#starting?.catch(() => undefined);
    // A start that failed otherwise leaves the store opening.
    await this.#opened?.catch(() => undefined);
    const { maintenance, engine, server, caller, store } = this.#running;
    await Promise.all([
      // First, since from here on the server says that it is not ready.
      engine?.stop({
        drainTimeoutMillis: this.#isHurried ? 0 : this.#config.runtime.drainTimeoutMillis,
        stopServing: () => this.#closeServer(server),
      }),
      maintenance?.stop(),
    ]);
    this.#renewal.stop();
    await caller?.close();
    this.#running.clock?.stop();
    await store?.close();
    await this.#running.tracing?.close(this.#isHurried);
    telemetry.log('info', 'closed');
    await log.close();
  }

  /** Fastify answers what is under way and closes idle connections; whoever will not let go is cut off. */
  async #closeServer(server: FastifyInstance | undefined): Promise<void> {
    if (server === undefined) return;
    const cut = setTimeout(() => {
      server.server.closeAllConnections();
    }, closeGraceMillis);
    if (this.#isHurried) server.server.closeAllConnections();
    await server.close();
    clearTimeout(cut);
  }
}
