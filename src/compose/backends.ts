/** Creates the store and the queue of a configuration. */
import type { Config } from '../config/config.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';
import type { ShowStep } from '../ports/listing.ts';
import type { Store, StoreFault } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { MemoryQueueHub } from '../queue/memory/memory-queue.ts';
import type { RedisSettings } from '../queue/redis/settings.ts';
import { Complaints } from '../engine/write/outage.ts';
import { FirstFill } from '../engine/queue/sharding/first-fill.ts';
import { ShardCount } from '../engine/queue/sharding/shard-count.ts';
import type { MemberLoad } from '../engine/queue/sharding/member-info.ts';
import { ShardedQueue } from '../engine/queue/sharding/sharded-queue.ts';
import { SoleWorkerQueue } from '../engine/queue/sole-worker-queue.ts';
import { engineSettings } from './engine-settings.ts';
import { readTls } from './tls/tls-files.ts';
import type { TlsRenewal } from './tls/tls-renewal.ts';

/** How the store is opened. */
export interface StoreChoice {
  /** Whether opening the store migrates its schema. */
  readonly migrate: boolean;
  /** Connections to Postgres that are prepared in the background. */
  readonly warmConnections?: number;
  /** What lists show of large outputs; needed only for a store that writes steps or answers lists. */
  readonly showStep?: ShowStep;
  readonly onFault: (fault: StoreFault) => void;
  /** Follows the files of TLS; absent: the store reads them once. */
  readonly renewal?: TlsRenewal;
}

/** Creates the store without opening it. Loads only the adapter that it needs. Throws where TLS cannot work. */
export async function createStore({ database }: Config, choice: StoreChoice): Promise<Store> {
  const { migrate, warmConnections = 0, showStep, onFault, renewal } = choice;
  const shown = showStep === undefined ? {} : { showStep };
  if (database.driver === 'EMBEDDED') {
    const { SqliteStore } = await import('../store/sqlite/sqlite-store.ts');
    return new SqliteStore({ dataDir: database.dataDir, migrate, onFault, ...shown });
  }
  const { PostgresStore } = await import('../store/postgres/postgres-store.ts');
  const { url, host, port, user, password } = database;
  const ssl =
    renewal === undefined ? readTls('database.ssl', database.ssl) : renewal.live('database.ssl', database.ssl);
  return new PostgresStore({
    ...(url === undefined ? { port, database: database.database } : { url }),
    ...(host === undefined || url !== undefined ? {} : { host }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(ssl === undefined ? {} : { ssl }),
    maxConnections: database.pool.maxPoolSize,
    minConnections: database.pool.minIdle,
    warmConnections,
    statementTimeoutMillis: database.statementTimeoutMillis,
    migrate,
    onFault,
    ...shown,
  });
}

/**
 * The names of the migrations that opening a store of this configuration would run; changes nothing.
 *
 * @throws Error as opening does.
 */
export async function pendingMigrationsOf({ database }: Config, store: Store): Promise<readonly string[]> {
  if (database.driver === 'EMBEDDED') {
    const { pendingMigrations } = await import('../store/sqlite/migrations.ts');
    return pendingMigrations(database.dataDir);
  }
  const { PostgresStore } = await import('../store/postgres/postgres-store.ts');
  return store instanceof PostgresStore ? store.pendingMigrations() : [];
}

/** The place of a store, for messages, without user and password. */
export function placeOf({ database }: Config): string {
  if (database.driver === 'EMBEDDED') return database.dataDir;
  if (database.url === undefined) return `${database.host ?? ''}:${String(database.port)}/${database.database}`;
  const [place = '', parameters] = database.url.replace(/\/\/.*@/s, '//').split('?');
  // The parameters may contain the password; the folder of a socket is among them, too.
  const host = new URLSearchParams(parameters).get('host');
  return host === null ? place : `${place}?host=${host}`;
}

/** What a queue needs. */
export interface QueueParts {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Store;
  readonly renewal: TlsRenewal;
  /** The load of this process. */
  readonly load: () => MemberLoad;
  /** Receives the `maxmemory-policy` of Redis. */
  readonly policy: (policy: string | undefined) => void;
}

/** A queue, and the cluster that it belongs to, if there is one. */
export interface QueueChoice {
  readonly queue: Queue;
  readonly cluster?: ShardedQueue;
}

/** Creates the queue without opening it; needs no open store. Loads only the adapter that it needs. */
export async function createQueue(parts: QueueParts): Promise<QueueChoice> {
  const { config, clock, entropy, telemetry, store } = parts;
  const { redis, runtime, database } = config;
  const works = runtime.enabled;
  if (redis.topology === 'NONE') {
    const queue = new MemoryQueueHub(clock).connect(`${redis.sharding.podId}/${entropy.nonce()}`);
    if (database.driver === 'EMBEDDED') return { queue };
    return {
      queue: new SoleWorkerQueue({
        clock,
        entropy,
        telemetry,
        store,
        queue,
        works,
        leaseMillis: engineSettings(config).leaseMillis,
      }),
    };
  }
  const { sharding } = redis;
  const count = new ShardCount({ store, telemetry, wants: sharding.virtualShardCount });
  const { RedisShardQueue } = await import('../queue/redis/redis-shard-queue.ts');
  const complaints = new Complaints(clock);
  const settings = await redisSettings(config, parts.renewal);
  const place = addressesOf(settings);
  const server = new RedisShardQueue(settings, {
    failed: (error) => {
      telemetry.queueFailed('connect');
      if (!complaints.isNews(error.message)) return;
      telemetry.log('warn', 'redis connection failed', { redis: place, error: error.message });
    },
    policy: (policy) => {
      parts.policy(policy);
      if (policy === undefined || policy === 'noeviction') return;
      telemetry.log('warn', 'redis may evict keys of the queue: set maxmemory-policy to noeviction', { policy });
    },
  });
  const cluster = new ShardedQueue({
    clock,
    entropy,
    telemetry,
    server,
    count,
    podId: sharding.podId,
    version: parts.version,
    works,
    ttlMillis: sharding.membershipTtlMillis,
    beatMillis: Math.min(sharding.heartbeatIntervalMillis, sharding.refreshIntervalMillis),
    sweepMillis: runtime.fullSweepIntervalMillis,
    leaseMillis: engineSettings(config).leaseMillis,
    claimers: sharding.claimerCount,
    load: parts.load,
    firstFill: new FirstFill({ store, telemetry }),
    storeIdentity: () => store.initSetting(storeIdentitySetting, entropy.uuid(clock.now())),
  });
  return { queue: cluster, cluster };
}

async function redisSettings({ redis }: Config, renewal: TlsRenewal): Promise<RedisSettings> {
  const { parseRedisUrl } = await import('../queue/redis/settings.ts');
  const seeds = redis.cluster.nodes.map((node) => parseRedisUrl(node));
  const url = redis.topology === 'STANDALONE' && redis.url !== undefined ? parseRedisUrl(redis.url) : undefined;
  const username = redis.username ?? url?.username;
  const password = redis.password ?? url?.password;
  const tls = renewal.live('redis.tls', { ...redis.tls, isOn: redis.tls.isOn || url?.isTls === true });
  return {
    servers:
      url === undefined
        ? { topology: 'cluster', seeds: seeds.map(({ address }) => address) }
        : { topology: 'standalone', address: url.address, database: url.database },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    commandTimeoutMillis: redis.commandTimeoutMillis,
    keyPrefix: redis.queue.keyPrefix,
    membershipKey: redis.sharding.membershipKey,
  };
}

/** The place of Redis, for messages. */
function addressesOf({ servers }: RedisSettings): string {
  const addresses = servers.topology === 'cluster' ? servers.seeds : [servers.address];
  return addresses.map(({ host, port }) => `${host}:${String(port)}`).join(', ');
}

/**
 * The setting that identifies a store to processes that share its queue. A restored copy has the identity of the
 * original.
 */
const storeIdentitySetting = 'store.identity';

const identitySetting = 'queue.identity';

/**
 * Refuses to start a worker whose queue differs from that of the other workers of the store: two groups with different
 * queues would each consider the other's executions lost. The first worker of a store decides.
 *
 * @throws Error with a sentence for people.
 */
export async function checkQueue(config: Config, store: Store): Promise<void> {
  if (!config.runtime.enabled || config.database.driver === 'EMBEDDED') return;
  const own = identityOf(config);
  const known = await store.initSetting(identitySetting, own);
  if (known === own) return;
  throw new Error(
    `The workers of this store use another queue: ${known} (redis.topology, redis.queue.keyPrefix, ` +
      `redis.sharding.membershipKey); this process is configured with ${own}. Stop them all, then run ` +
      '"trama migrate --adopt-queue" to move the store to this queue.',
  );
}

/** Moves the store to this configuration's queue. No worker may run. */
export async function adoptQueue(config: Config, store: Store): Promise<void> {
  const own = identityOf(config);
  const known = await store.initSetting(identitySetting, own);
  if (known !== own) await store.changeSetting(identitySetting, known, own);
}

function identityOf({ redis: { topology, queue, sharding } }: Config): string {
  return topology === 'NONE' ? 'NONE' : `${topology} ${queue.keyPrefix} ${sharding.membershipKey}`;
}
