import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { Maintenance } from '../engine/upkeep/maintenance.ts';
import { StartPatience } from '../engine/upkeep/start-patience.ts';
import { OwnListeners } from '../http-caller/own-listeners.ts';
import type { Queue } from '../ports/queue.ts';
import { CallbackTokens } from '../security/callback-token.ts';
import { recordAccess } from './access/access-record.ts';
import { localUrl, reachableUrl, type Listening } from './addresses.ts';
import { checkQueue, placeOf } from './backends.ts';
import {
  type BuiltServer,
  buildServer,
  createFoundations,
  type Foundations,
  type ServerParts,
  type TramaOptions,
} from './building.ts';
import { readGauges, ServerHealth } from './health.ts';
import { lastWords } from './last-words.ts';
import { readyFields } from './ready-line.ts';
import { systemClock } from './system-clock.ts';
import { invalidCertificates } from './tls/tls-files.ts';
import { TlsRenewal } from './tls/tls-renewal.ts';

/** Time for requests under way once everything else has stopped. */
const closeGraceMillis = 5000;

/** Creates a server. It opens, listens to and writes nothing before {@link Trama.start}. */
export async function createTrama(config: Config, options: TramaOptions): Promise<Trama> {
  return new Trama(config, options, await createFoundations(config, options));
}

/**
 * One server: API, engine, store and queue in this process. Created by {@link createTrama}.
 *
 * A start builds everything, opens the store, listens, and only then lets the engine claim; it is ready at the end. A stop
 * ends what the start has reached, in this order: not ready, no claims, drain, flush, no more requests, queue, outbound
 * calls, store, spans, log. A start that failed leaves the rest to {@link Trama.stop}.
 */
export class Trama {
  readonly #config: Config;
  readonly #options: TramaOptions;
  readonly #foundations: Foundations;
  readonly #parts: ServerParts = {};
  readonly #health: ServerHealth;
  /** Addresses of this process, which calls may not reach, or only in part. */
  readonly #own: OwnListeners;
  readonly #patience: StartPatience;
  readonly #renewal: TlsRenewal;
  #tokens: CallbackTokens | undefined;
  #listening: Listening | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #isHurried = false;

  constructor(config: Config, options: TramaOptions, foundations: Foundations) {
    this.#config = config;
    this.#options = options;
    this.#foundations = foundations;
    this.#health = new ServerHealth(config.runtime, this.#parts);
    this.#own = new OwnListeners(config.http.egress.allowOwn, config.runtime.callback.baseUrl);
    const { telemetry } = foundations;
    this.#patience = new StartPatience({ clock: systemClock, telemetry, place: placeOf(config) });
    const doubts = (now: number): readonly string[] => invalidCertificates(config, now);
    this.#renewal = new TlsRenewal({ clock: systemClock, telemetry, doubts });
    // Waiting does not bring back a missing directory of this machine.
    if (config.database.driver === 'EMBEDDED') this.#patience.giveUp();
  }

  /** The URL of the server for callers on this machine, without a slash at the end. Throws before it listens. */
  get url(): string {
    if (this.#listening === undefined) throw new Error('The server does not listen.');
    return localUrl(this.#listening);
  }

  /**
   * Opens the store, listens, and continues unfinished executions. `startedAt` is when the process began to start, in
   * milliseconds of `performance.now()`, for the log. A second call waits for the first.
   *
   * @throws Error with a sentence for people: directory in use, port taken, unreadable certificate. Then call `stop`.
   */
  start(startedAt: number = performance.now()): Promise<void> {
    this.#starting ??= this.#start(startedAt).catch((error: unknown) => {
      // Logged here so that it precedes the lines of the stop.
      this.#foundations.telemetry.log('error', 'the start failed', { error: String(error) });
      throw error;
    });
    return this.#starting;
  }

  /**
   * Stops everything in order. A start that waits for its store gives up. A second call waits for the first; before `start`
   * it only closes the log.
   */
  stop(): Promise<void> {
    this.#patience.giveUp();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the waiting of a start and of a stop, also of later ones: aborts calls in flight and closes connections. */
  hurry(): void {
    this.#isHurried = true;
    this.#patience.giveUp();
    this.#parts.engine?.force();
    this.#parts.server?.server.closeAllConnections();
  }

  /** Logs an unhandled error and ends nothing. Returns a masked sentence about it where the log does not take it. */
  lastWords(error: unknown): string | undefined {
    return lastWords(error, this.#foundations);
  }

  async #start(startedAt: number): Promise<void> {
    const config = this.#config;
    const { telemetry } = this.#foundations;
    for (const sentence of invalidCertificates(config, Date.now())) telemetry.log('warn', sentence);
    const built = await this.#build();
    const { store, clock, entropy, engine, server } = built;
    await server.ready();
    const keys = await built.opened;
    this.#tokens = new CallbackTokens(keys);
    if (config.metrics.enabled) {
      const kids = keys.map((key) => key.kid);
      readGauges({ ...built, config, telemetry, kids, renewal: this.#renewal, health: this.#health });
    }
    await checkQueue(config, store);
    await this.#parts.clock?.follow(store);
    await recordAccess(config.security.auth, { store, clock, entropy });
    this.#options.beforeListening?.();
    await this.#listen(server);
    this.#renewal.start();
    await engine.start();
    if (config.maintenance.enabled) this.#maintain(built.choice.queue, built);
    this.#health.isReady = true;
    telemetry.log(
      'info',
      'ready',
      readyFields(config, this.url, startedAt, server.hasRoute({ method: 'GET', url: '/ui' })),
    );
    if (config.metrics.enabled) telemetry.watchProcess();
  }

  #build(): Promise<BuiltServer> {
    const context = {
      config: this.#config,
      version: this.#options.version,
      foundations: this.#foundations,
      own: this.#own,
      patience: this.#patience,
      renewal: this.#renewal,
      health: this.#health,
      callbackTokens: () => this.#callbackTokens(),
      callbackBaseUrl: () => this.#callbackBaseUrl(),
    };
    return buildServer(context, this.#parts);
  }

  #callbackTokens(): CallbackTokens {
    if (this.#tokens === undefined) throw new Error('Callback tokens were requested before the store was open.');
    return this.#tokens;
  }

  #callbackBaseUrl(): string {
    const { baseUrl } = this.#config.runtime.callback;
    if (baseUrl !== undefined) return baseUrl;
    if (this.#listening === undefined) throw new Error('A callback address was requested before the server listened.');
    return reachableUrl(this.#listening);
  }

  async #listen(api: FastifyInstance): Promise<void> {
    const { server } = this.#config;
    await api.listen({ host: server.host, port: server.port });
    for (const bound of api.addresses()) if (typeof bound === 'object') this.#own.add(bound.address, bound.port);
    const address = api.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : server.port;
    this.#listening = { host: server.host, port, isTls: server.tls.certFile !== undefined };
  }

  /** Starts retention. One process of a cluster does it: the one that owns the first slot. */
  #maintain(queue: Queue, { store, clock }: BuiltServer): void {
    const maintenance = new Maintenance({
      store,
      clock,
      telemetry: this.#foundations.telemetry,
      ...this.#config.maintenance,
      isOurs: () => this.#config.runtime.enabled && queue.owns(0),
    });
    this.#parts.maintenance = maintenance;
    maintenance.start();
  }

  async #stop(): Promise<void> {
    const { log, telemetry } = this.#foundations;
    await this.#starting?.catch(() => undefined);
    // A start that failed for another reason may still be opening the store.
    await this.#parts.opened?.catch(() => undefined);
    const { maintenance, engine, server, caller, store } = this.#parts;
    await Promise.all([
      // The engine comes first: from here on the server reports that it is not ready.
      engine?.stop({
        drainTimeoutMillis: this.#isHurried ? 0 : this.#config.runtime.drainTimeoutMillis,
        stopServing: () => this.#closeServer(server),
      }),
      maintenance?.stop(),
    ]);
    this.#renewal.stop();
    await caller?.close();
    this.#parts.clock?.stop();
    await store?.close();
    await this.#parts.tracing?.close(this.#isHurried);
    telemetry.log('info', 'closed');
    await log.close();
  }

  /** Fastify answers requests under way and closes idle connections; after the grace, the rest is cut off. */
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
