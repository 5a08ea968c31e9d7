import { Pool, types as defaultTypes, type ClientConfig, type CustomTypesConfig } from 'pg';
import { StoreUnavailable, type StoreFault } from '../../../ports/store.ts';
import { noTlsMessage, SteadyClient, type SteadyClientConfig } from './client.ts';
import { isCollision, unavailable } from './errors.ts';
import { isSocket, type Host, type Target } from './options.ts';
import { begin, type Pooled, PooledSession, type Session, type Settings, type Statement } from './session.ts';
import { tlsOptions } from './tls.ts';

/** Names a pool; see {@link Connections}. */
export type Lane = 'short' | 'long';

/** Limits of the pools. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly minConnections: number;
  /** Limit in the long lane. The short lane has the lesser of this and {@link shortStatementMillis}. */
  readonly statementTimeoutMillis: number;
}

const shortStatementMillis = 2000;
const lockTimeoutMillis = 1500;
const connectTimeoutMillis = 1500;
/** Longer than the pauses between bursts of work: opening a connection costs more than keeping one. */
const idleTimeoutMillis = 600_000;
/** The client's deadline is this much later than the server's. */
const deadlineSlackMillis = 500;
const maxAttempts = 5;
/** After this time the caller gets the collision instead of another attempt; an attempt may already have waited for a lock. */
const maxAttemptsMillis = 1000;
const minPauseMillis = 25;
const maxPauseMillis = 500;
/** Broken idle connections are reported once until none has broken for this long. */
const calmMillis = 10_000;

/**
 * Every query is written for an index. Postgres plans a statement once per connection, often while tables are empty and a
 * scan looks cheap; such a plan would be slow once the tables have grown.
 */
const planning: Settings = { jit: 'off', enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' };

/** For the short lane, where one plan per statement is good for all values. */
const onePlan: Settings = { plan_cache_mode: 'force_generic_plan' };

const int8 = 20;

const parserOf = defaultTypes.getTypeParser as (oid: number, format?: 'text') => (text: string) => unknown;

/** All 64-bit integers in this schema are instants or counts, so they are safe integers. */
const types: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === int8 ? Number : parserOf(oid, format)) as typeof defaultTypes.getTypeParser,
};

interface LanePool {
  readonly pool: Pool;
  readonly deadlineMillis: number;
  readonly settings: Settings;
}

/**
 * Bounded pools of connections to Postgres. The client enforces a deadline for each statement.
 *
 * Two pools keep slow reads from delaying checkpoints: `short` for statements that executions wait for (2 s each), `long` for
 * lists, retention and the schema. A connection that had any error is closed and never reused: after a deadline its reply may
 * still arrive.
 *
 * With several hosts, a new connection goes to the host that worked last, and on failure to the next. If the target must be
 * writable, hosts in recovery or read-only mode are skipped. When a connection turns out to be read-only, the pools close all
 * other connections to that host as callers take them.
 *
 * The class retries deadlocks, serialization failures and short lock timeouts, {@link maxAttempts} attempts in all. After a
 * failed attempt to connect, further attempts fail at once for a pause that doubles up to {@link maxPauseMillis}.
 */
export class Connections {
  readonly #target: Target;
  readonly #onFault: (fault: StoreFault) => void;
  readonly #lanes: Readonly<Record<Lane, LanePool>>;
  /** Index of the host that new connections go to. */
  #host = 0;
  /** Indexes of hosts that have no TLS, where it is optional. */
  readonly #withoutTls = new Set<number>();
  /** Incremented whenever a host turns out to refuse writes. */
  #generation = 0;
  #pauseMillis = 0;
  #pausedUntil = 0;
  #lastFailure: unknown;
  #brokeAt = -Infinity;
  #closed: Promise<void> | undefined;

  constructor(target: Target, limits: ConnectionLimits, onFault: (fault: StoreFault) => void) {
    this.#target = target;
    this.#onFault = onFault;
    const long = Math.max(1, Math.floor(limits.maxConnections * 0.4));
    const short = Math.max(1, limits.maxConnections - long);
    const shortMillis = Math.min(shortStatementMillis, limits.statementTimeoutMillis);
    this.#lanes = {
      short: this.#lane(short, Math.min(short, limits.minConnections), shortMillis, onePlan),
      long: this.#lane(long, 0, limits.statementTimeoutMillis, {}),
    };
  }

  #lane(max: number, min: number, statementMillis: number, more: Settings): LanePool {
    const deadlineMillis = statementMillis + deadlineSlackMillis;
    const pool = new Pool({
      Client: SteadyClient,
      ...this.#clientOptions(deadlineMillis),
      max,
      min,
      idleTimeoutMillis,
      maxLifetimeSeconds: 1800,
      connectionTimeoutMillis: this.#connectTimeoutMillis,
    });
    pool.on('error', (error) => {
      this.#idleBroke(error);
    });
    return { pool, deadlineMillis, settings: this.#settings(statementMillis, more) };
  }

  /** Reports once per outage: a server that stops breaks many connections. The pool opens new ones on demand. */
  #idleBroke(error: Error): void {
    const isNews = performance.now() - this.#brokeAt >= calmMillis;
    this.#brokeAt = performance.now();
    if (isNews) this.#onFault({ level: 'warn', message: 'An idle connection to Postgres broke.', error });
  }

  get #connectTimeoutMillis(): number {
    return this.#target.connectTimeoutMillis ?? connectTimeoutMillis;
  }

  /** Options of one connection to the current host. */
  #clientOptions(deadlineMillis: number): SteadyClientConfig {
    const { database, user, password, applicationName = 'trama', channelBinding } = this.#target;
    return {
      ...this.#hostOptions(),
      database,
      user,
      ...(password === undefined ? undefined : { password }),
      application_name: applicationName,
      query_timeout: deadlineMillis,
      connectionTimeoutMillis: this.#connectTimeoutMillis,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
      channelBinding,
      types,
    };
  }

  /** Run-time parameters that the first statement of a connection sets. */
  #settings(statementMillis: number, more: Settings): Settings {
    return {
      ...this.#target.settings,
      ...planning,
      ...more,
      statement_timeout: String(statementMillis),
      lock_timeout: String(Math.min(lockTimeoutMillis, statementMillis)),
      idle_in_transaction_session_timeout: '5000',
    };
  }

  /** The current host with its TLS options. */
  #hostOptions(): Pick<ClientConfig, 'host' | 'port' | 'ssl'> {
    const { hosts, tls } = this.#target;
    const { host, port } = hosts[this.#host] as Host;
    const isPlain = tls === false || isSocket(host) || this.#withoutTls.has(this.#host);
    return { host, port, ssl: isPlain ? false : tlsOptions(tls, host) };
  }

  /** Runs one statement as a transaction of its own. Throws StoreUnavailable, or the server's error about the values. */
  async query<T>(lane: Lane, statement: Statement): Promise<T[]> {
    return this.#attempt(lane, (session) => session.query<T>(statement));
  }

  /**
   * Runs `work` in a transaction; it may run more than once. Throws StoreUnavailable, or the server's error about the
   * values.
   */
  transaction<T>(lane: Lane, work: (session: Session) => Promise<T>): Promise<T> {
    return this.#attempt(lane, async (session) => {
      await session.query({ text: 'BEGIN' });
      const result = await work(session);
      await (session as PooledSession).commit();
      return result;
    });
  }

  /** Runs `work` on two connections at once. Throws what it throws, or StoreUnavailable. */
  withTwo<T>(work: (first: Session, second: Session) => Promise<T>): Promise<T> {
    return this.#use('short', (first) => this.#use('long', (second) => work(first, second)));
  }

  async #attempt<T>(lane: Lane, work: (session: Session) => Promise<T>): Promise<T> {
    const begun = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#use(lane, work);
      } catch (error) {
        if (!isCollision(error)) throw error;
        const isOver = attempt >= maxAttempts || performance.now() - begun >= maxAttemptsMillis;
        if (isOver) throw unavailable(error);
        // Random pauses, because equal ones would collide again.
        await new Promise((resolve) => setTimeout(resolve, attempt * 5 * (0.5 + Math.random())));
      }
    }
  }

  async #use<T>(lane: Lane, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#acquire(lane);
    let failure: unknown;
    try {
      return await work(new PooledSession(client));
    } catch (error) {
      failure = error;
      if (error instanceof StoreUnavailable && error.kind === 'read_only') this.#leaveHost();
      throw error;
    } finally {
      client.release(failure === undefined ? undefined : true);
    }
  }

  #leaveHost(): void {
    if (this.#target.hosts.length === 1) return;
    this.#generation += 1;
    this.#nextHost();
  }

  #nextHost(): void {
    this.#host = (this.#host + 1) % this.#target.hosts.length;
    this.#turnPools();
  }

  /** Directs new connections to the current host. */
  #turnPools(): void {
    for (const { pool } of Object.values(this.#lanes)) Object.assign(pool.options, this.#hostOptions());
  }

  /** Turns TLS off for a host if it is optional and the connection failed for lack of it; returns whether it did. */
  #doWithoutTls(host: number, error: unknown): boolean {
    const { tls } = this.#target;
    if (tls === false || tls.isOptional !== true || !(error instanceof Error)) return false;
    if (error.message !== noTlsMessage || this.#withoutTls.has(host)) return false;
    this.#withoutTls.add(host);
    this.#turnPools();
    return true;
  }

  async #acquire(lane: Lane): Promise<Pooled> {
    if (this.#closed !== undefined) throw new StoreUnavailable('unreachable', 'The store is closed.');
    const lanePool = this.#lanes[lane];
    const { pool } = lanePool;
    if (pool.idleCount === 0 && performance.now() < this.#pausedUntil) throw this.unreached(this.#lastFailure);
    let failure: unknown;
    for (let i = 0; i < this.#target.hosts.length; i++) {
      const host = this.#host;
      try {
        const client = await this.#connect(lanePool);
        this.#pauseMillis = 0;
        this.#pausedUntil = 0;
        return client;
      } catch (error) {
        failure = error;
        if (isBusy(error)) throw unavailable(error);
        if (this.#doWithoutTls(host, error)) {
          i--;
          continue;
        }
        // Another caller may have changed the host already.
        if (host === this.#host && this.#target.hosts.length > 1) this.#nextHost();
      }
    }
    this.#lastFailure = failure;
    this.#pauseMillis = Math.min(maxPauseMillis, Math.max(minPauseMillis, this.#pauseMillis * 2));
    this.#pausedUntil = performance.now() + this.#pauseMillis;
    throw this.unreached(failure);
  }

  /** Converts the error of a failed connection attempt, or of a connection outside of the pools, for the caller. */
  unreached(error: unknown): unknown {
    const { tls } = this.#target;
    const why = tls !== false && error instanceof Error ? tls.explain?.(error) : undefined;
    return unavailable(error, why);
  }

  async #connect({ pool, settings }: LanePool): Promise<Pooled> {
    for (;;) {
      const client = (await pool.connect()) as Pooled;
      if (client.brokenBy === undefined && client.generation === this.#generation) return client;
      if (client.generation !== undefined) {
        client.release(true);
        continue;
      }
      try {
        await begin(client, settings, this.#target.mustWrite);
        if (client.brokenBy !== undefined) throw client.brokenBy;
      } catch (error) {
        client.release(true);
        throw client.brokenBy ?? error;
      }
      client.generation = this.#generation;
      return client;
    }
  }

  /**
   * Opens up to `count` connections of the short lane ahead of time, within its limit, and runs the statements on each. A new
   * connection needs a server process, catalog caches and plans, which takes a busy server a tenth of a second. Ignores errors:
   * the next caller that needs a connection gets its own. Never rejects.
   */
  async warmUp(count: number, statements: readonly Statement[]): Promise<void> {
    const most = Math.min(count, this.#lanes.short.pool.options.max);
    const warm = (): Promise<void> =>
      this.#use('short', async (session) => {
        for (const statement of statements) await session.query(statement);
      });
    await Promise.allSettled(Array.from({ length: most }, warm));
  }

  /** Opens a connection outside of the pools. Throws StoreUnavailable. */
  async dedicated(): Promise<SteadyClient> {
    const client = new SteadyClient(this.#clientOptions(shortStatementMillis + deadlineSlackMillis));
    try {
      await client.connect();
      await begin(client, this.#settings(shortStatementMillis, {}), false);
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      if (this.#doWithoutTls(this.#host, error)) return this.dedicated();
      throw this.unreached(client.brokenBy ?? error);
    }
  }

  /** Numbers of open and idle connections, and of callers that wait for one. */
  get counts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    const pools = Object.values(this.#lanes).map(({ pool }) => pool);
    const sum = (of: (pool: Pool) => number): number => pools.reduce((total, pool) => total + of(pool), 0);
    return {
      open: sum((pool) => pool.totalCount),
      idle: sum((pool) => pool.idleCount),
      waiting: sum((pool) => pool.waitingCount),
    };
  }

  /** Closes the pools after running statements have finished, at most for their deadlines. A second call waits for the first. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const lanes = Object.values(this.#lanes);
    const ended = Promise.all(lanes.map(({ pool }) => pool.end()));
    // A half-open connection may never end, so the longest deadline bounds the wait.
    const longest = Math.max(...lanes.map(({ deadlineMillis }) => deadlineMillis));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, longest);
    });
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }
}

/** Whether all connections were in use for too long, which does not concern the host. pg gives only the message. */
function isBusy(error: unknown): boolean {
  return (error as Error).message === 'timeout exceeded when trying to connect';
}
