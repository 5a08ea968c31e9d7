/**
 * Creates ioredis clients with options under which a command is sent at most once, answered or refused within its
 * deadline, and never kept for later:
 *
 * - no offline queue: a command refused for its deadline would run after the reconnect;
 * - a disconnect refuses everything in flight, and the client repeats nothing;
 * - the client follows only `MOVED`, `ASK` and `TRYAGAIN`, because such a command was not executed;
 * - a link that is silent for a few seconds with commands in flight is cut: it may be half open;
 * - each primary's own client reconnects when it is lost. Without that a cluster client would send to any node that it
 *   knows, replicas included.
 */
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { RedisAddress, RedisSettings, RedisTls } from './settings.ts';
import { scripts } from './scripts.ts';
import { mendClients } from './steady-clients.ts';

mendClients();

/** Time for the TCP connection, in ms. */
const connectTimeoutMillis = 2000;

/** Time for a server to close its end of a connection, in ms. */
const disconnectTimeoutMillis = 500;

/**
 * How long a server may be silent while commands wait for it, in ms; the time of one command is clamped to these
 * bounds.
 */
const silenceMillis = { least: 1000, most: 3000 };

/** Wait before the n-th attempt to connect, in ms. */
function reconnectDelay(attempt: number): number {
  return Math.min(50 * attempt, 500);
}

/** The constructor types want the reply mapping to be set or absent, not undefined. */
type Options = Omit<RedisOptions, 'replyMapping'>;

function sharedOptions(settings: RedisSettings): Options {
  const { username, password, tls } = settings;
  return {
    connectionName: 'trama',
    disableClientInfo: true,
    connectTimeout: connectTimeoutMillis,
    disconnectTimeout: disconnectTimeoutMillis,
    keepAlive: 5000,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    lazyConnect: true,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls: tlsOptions(tls) }),
  };
}

function tlsOptions(tls: RedisTls): ConnectionOptions {
  const { serverName } = tls;
  return {
    // Files are renewed while the clients live: ioredis reads these for each connection.
    get ca() {
      return tls.ca;
    },
    get cert() {
      return tls.cert;
    },
    get key() {
      return tls.key;
    },
    ...(serverName !== undefined && { servername: serverName }),
  };
}

function commandOptions(settings: RedisSettings): Options {
  const commandTimeout = settings.commandTimeoutMillis;
  return {
    ...sharedOptions(settings),
    commandTimeout,
    socketTimeout: Math.max(silenceMillis.least, Math.min(commandTimeout, silenceMillis.most)),
  };
}

/** A client of one server, not connected yet. */
export function standaloneClient(settings: RedisSettings, { host, port }: RedisAddress, database: number): Redis {
  return new Redis({
    ...commandOptions(settings),
    host,
    port,
    db: database,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelay,
    // The server was demoted: its name may lead to the new primary. The client does not repeat the refused command.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    scripts: { ...scripts },
  });
}

/** A client of a cluster, not connected yet. `MOVED` and the link refresh its map of slots; no timer does. */
export function clusterClient(settings: RedisSettings, seeds: readonly RedisAddress[]): Cluster {
  const options: Omit<ClusterOptions, 'redisOptions'> = {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    lazyConnect: true,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 50,
    maxRedirections: 16,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: 0,
    clusterRetryStrategy: reconnectDelay,
    clusterNodeRetryStrategy: reconnectDelay,
    scripts: { ...scripts },
  };
  // Certificates are for names, so the TLS connection must get the names as configured.
  if (settings.tls !== undefined) options.dnsLookup = (name, callback) => callback(null, name);
  return new Cluster(
    seeds.map(({ host, port }) => ({ host, port })),
    { ...options, redisOptions: commandOptions(settings) },
  );
}

/** A client for blocking commands of one server: not connected yet, and it never reconnects. */
export function blockingClient(settings: RedisSettings, { host, port }: RedisAddress, database: number): Redis {
  return new Redis({
    ...sharedOptions(settings),
    host,
    port,
    db: database,
    enableOfflineQueue: false,
    retryStrategy: null,
  });
}
