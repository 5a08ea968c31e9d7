/** Builds a server: connects concrete adapters with the engine and the API. */
import type { FastifyInstance } from 'fastify';
import { renewServerTls } from '../api/http/server-tls.ts';
import { createServer } from '../api/server.ts';
import { KnownDefinitions } from '../app/known-definitions.ts';
import type { AppContext } from '../app/context.ts';
import { showStep } from '../app/queries/shown-body.ts';
import type { CallbackKey, Config } from '../config/config.ts';
import { isLoopback } from '../config/rules.ts';
import { definitionJsonSchema } from '../core/definition/shape/json-schema.ts';
import { Gatekeeper } from '../engine/call/gate/gatekeeper.ts';
import { Engine } from '../engine/engine.ts';
import type { MemberLoad } from '../engine/queue/sharding/member-info.ts';
import type { Maintenance } from '../engine/upkeep/maintenance.ts';
import type { StartPatience } from '../engine/upkeep/start-patience.ts';
import { StoreClock } from '../engine/upkeep/store-clock.ts';
import { longTurnMillis } from '../engine/watchdog.ts';
import { PlanCache } from '../engine/worker/plan-cache.ts';
import type { OwnListeners } from '../http-caller/own-listeners.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { HttpCaller } from '../ports/http-caller.ts';
import type { Store } from '../ports/store.ts';
import type { CallbackTokens } from '../security/callback-token.ts';
import { Masker } from '../security/secrets/masking.ts';
import { Secrets } from '../security/secrets/secrets.ts';
import { createLog, type Log } from '../telemetry/logger.ts';
import { metricsContentType, PrometheusTelemetry } from '../telemetry/prometheus-telemetry.ts';
import { accessOptions } from './access/authenticator.ts';
import { createCallbackIssuer, withoutAsyncNodes } from './access/callback-addresses.ts';
import { resolveCallbackKeys } from './access/callback-keys.ts';
import { installationOf } from './access/installation.ts';
import { createQueue, createStore, type QueueChoice } from './backends.ts';
import { createCaller } from './caller.ts';
import { definitionLimits, engineSettings } from './engine-settings.ts';
import { createClusterSource, loadOf, type ServerHealth } from './health.ts';
import { refusePromoted } from './promotion/promotion-guard.ts';
import { systemClock } from './system-clock.ts';
import { createSystemEntropy } from './system-entropy.ts';
import { followServerTls } from './tls/server-tls.ts';
import type { TlsRenewal } from './tls/tls-renewal.ts';
import { observeRequests, startTracing, type Tracing } from './tracing.ts';
import { uiFilesOf } from './ui-folder.ts';

/** Statements that an engine runs at the same time: an insert, checkpoints, take-overs, reads. */
const warmConnections = 4;

/** What a server needs besides its configuration. */
export interface TramaOptions {
  /** The environment, for secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** File descriptor of the log; standard output by default. */
  readonly logTo?: number;
  /** Called when everything is built and the store is open, before the server listens. */
  readonly beforeListening?: () => void;
}

/** Secrets and telemetry, which exist before anything is opened. */
export interface Foundations {
  readonly secrets: Secrets;
  readonly masker: Masker;
  readonly log: Log;
  readonly telemetry: PrometheusTelemetry;
}

/** The parts that a stop must end. The build adds each part once it exists, so that a failed start can be stopped, too. */
export interface ServerParts {
  tracing?: Tracing | undefined;
  caller?: HttpCaller;
  store?: Store;
  /** Settles when the store is open: the keys of callback tokens. */
  opened?: Promise<readonly CallbackKey[]>;
  clock?: StoreClock;
  engine?: Engine;
  server?: FastifyInstance;
  maintenance?: Maintenance;
}

/** What {@link buildServer} connects the parts with. */
export interface BuildContext {
  readonly config: Config;
  readonly version: string;
  readonly foundations: Foundations;
  readonly own: OwnListeners;
  readonly patience: StartPatience;
  readonly renewal: TlsRenewal;
  readonly health: ServerHealth;
  /** Throws before the store is open. */
  readonly callbackTokens: () => CallbackTokens;
  /** Throws before the server listens. */
  readonly callbackBaseUrl: () => string;
}

/** The parts that the rest of a start uses. */
export interface BuiltServer {
  readonly store: Store;
  /** Settles when the store is open: the keys of callback tokens. */
  readonly opened: Promise<readonly CallbackKey[]>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly choice: QueueChoice;
  readonly plans: PlanCache;
  readonly gate: Gatekeeper;
  readonly engine: Engine;
  readonly server: FastifyInstance;
}

/** Creates secrets, masker, log and telemetry. Problems with secrets that come up before the log exists are logged afterwards. */
export async function createFoundations(config: Config, { env, logTo = 1 }: TramaOptions): Promise<Foundations> {
  const early: string[] = [];
  const sink: { report: (problem: string) => void } = { report: (problem) => early.push(problem) };
  const secrets = new Secrets({
    environment: env,
    environmentPrefix: config.secrets.envPrefix,
    variables: config.vars,
    hosts: config.secrets.hosts,
    report: (problem) => {
      sink.report(problem);
    },
    ...(config.secrets.dir === undefined ? {} : { directory: config.secrets.dir }),
  });
  const masker = new Masker(secrets);
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
  return { secrets, masker, log, telemetry };
}

/** Builds a server and begins to open its store; listens to nothing and claims nothing. Adds to `parts` what it builds. */
export async function buildServer(context: BuildContext, parts: ServerParts): Promise<BuiltServer> {
  const { config, version, own, renewal, health } = context;
  const { secrets, masker, telemetry } = context.foundations;
  parts.tracing = await startTracing(config.telemetry, version, telemetry);
  const caller = createCaller(config, { version, own, renewal });
  parts.caller = caller;
  const { store, opened } = await openStore(context, parts);
  const clock = createClock(context, parts);
  const entropy = createSystemEntropy();
  const settings = engineSettings(config);
  const gate = new Gatekeeper({
    clock,
    entropy,
    store,
    telemetry,
    mask: (text) => masker.text(text),
    ...(config.circuitBreaker.enabled ? { circuits: config.circuitBreaker } : undefined),
    maxConcurrency: config.http.perHost.maxConcurrency,
    overrides: config.http.perHost.overrides,
    workerCount: config.runtime.workerCount,
  });
  const load = (): MemberLoad => loadOf(gate, config.runtime.enabled, parts.engine?.load());
  const choice = await createQueue({
    config,
    version,
    clock,
    entropy,
    telemetry,
    store,
    renewal,
    load,
    policy: (policy) => {
      health.maxmemoryPolicy = policy;
    },
  });
  const plans = new PlanCache({
    store,
    telemetry,
    size: settings.planCacheSize,
    limits: definitionLimits(config),
  });
  const engine = new Engine({
    clock,
    entropy,
    store,
    queue: choice.queue,
    http: caller,
    telemetry,
    vault: secrets,
    callbacks: createCallbackIssuer(context.callbackTokens, context.callbackBaseUrl),
    masker,
    gate,
    plans,
    runs: config.runtime.enabled,
    version,
    settings,
  });
  parts.engine = engine;
  const server = await buildApi(context, store, {
    store,
    clock,
    entropy,
    plans: canBeCalledBack(config) ? plans : withoutAsyncNodes(plans),
    known: new KnownDefinitions(settings.planCacheSize),
    engine,
    tokens: { verify: (token) => context.callbackTokens().verify(token) },
    masker,
    limits: settings.limits,
    callTimes: { usual: settings.requestTimeoutMillis, max: settings.maxTimeoutMillis },
    maxHistoryBody: settings.maxHistoryBody,
    maxOutputBytes: config.runtime.maxOutputBytes,
    variable: (name) => secrets.variable(name),
    callbacks: telemetry,
    holdsChanged: gate.holdsChanged,
    cluster: createClusterSource({ store, config, version, choice, gate, load, policy: () => health.maxmemoryPolicy }),
  });
  parts.server = server;
  return { store, opened, clock, entropy, choice, plans, gate, engine, server };
}

/** Begins to open the store. The caller builds the rest meanwhile. */
async function openStore(
  { config, foundations, renewal, patience }: BuildContext,
  parts: ServerParts,
): Promise<Pick<BuiltServer, 'store' | 'opened'>> {
  const { masker, telemetry } = foundations;
  const store = await createStore(config, {
    migrate: true,
    renewal,
    warmConnections,
    showStep: showStep({ masker, maxHistoryBody: engineSettings(config).maxHistoryBody }),
    onFault: ({ level = 'error', message, error }) => {
      telemetry.log(level, message, { error: error?.message });
    },
  });
  parts.store = store;
  const opened = patience
    .until(() => store.open())
    .then(async () => {
      await refusePromoted(config, store);
      return resolveCallbackKeys(config.runtime.callback, store);
    });
  parts.opened = opened;
  // The start awaits it later; an earlier failure must not count as an unhandled rejection.
  opened.catch(() => undefined);
  return { store, opened };
}

/** Creates the clock. Processes that share a store use the store's time instead of that of their machines. */
function createClock({ config, foundations }: BuildContext, parts: ServerParts): Clock {
  if (config.database.driver === 'EMBEDDED') return systemClock;
  const clock = new StoreClock(systemClock, foundations.telemetry);
  parts.clock = clock;
  return clock;
}

function canBeCalledBack({ runtime, server }: Config): boolean {
  return runtime.callback.baseUrl !== undefined || (isLoopback(server.host) && server.api);
}

async function buildApi(
  { config, version, foundations, renewal, health }: BuildContext,
  auditLog: Store,
  app: AppContext,
): Promise<FastifyInstance> {
  const { telemetry } = foundations;
  const tls = followServerTls(config.server.tls, renewal, (renewed) => {
    renewServerTls(server, renewed);
  });
  const server = createServer({
    app,
    auditLog,
    health: { live: () => health.live(), ready: (scope) => health.ready(scope) },
    log: telemetry,
    version,
    definitionSchema: definitionJsonSchema(definitionLimits(config)),
    installation: installationOf(config, foundations.secrets),
    ...(await accessOptions(config, app.clock, telemetry)),
    ui: uiFilesOf(config, telemetry),
    basePath: config.server.basePath,
    ...(tls === undefined ? {} : { tls }),
    ...observeRequests(telemetry, config.metrics.enabled),
    worked: {
      fromMillis: longTurnMillis,
      report: (route, millis) => {
        telemetry.longTurn('request', millis, { route });
      },
    },
    ...(config.metrics.enabled
      ? { metrics: async () => ({ contentType: metricsContentType, text: await telemetry.metrics() }) }
      : {}),
  });
  return server;
}
