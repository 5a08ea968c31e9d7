/**
 * Clients of ioredis with options under which a command is sent at most once, answered or refused within its deadline, and
 * never kept for later:
 *
 * - no offline queue: what was refused for its deadline would be executed after the reconnect;
 * - nothing is sent again after a disconnect, and everything in flight is refused at the first one;
 * - `MOVED`, `ASK` and `TRYAGAIN` are followed, because such a command was not executed; nothing else is;
 * - a link that has been silent for a few seconds with commands in flight is cut: it may be half open;
 * - primaries that are lost are connected to again by their own client. Without that a cluster client would send to any
 *   node that it knows, replicas included.
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

/** How long a server may be silent while commands wait for it, in ms; between the two as long as one command may take. */
const silenceMillis = { least: 1000, most: 3000 };

/** Wait before the n-th attempt to connect, in ms. */
function reconnectDelay(attempt: number): number {
  return Math.min(50 * attempt, 500);
}

/** The types of the constructors want the mapping of replies to be said or left out, not undefined. */
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
    // Demoted: its name may lead to the new primary. The command that was refused is not sent again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    scripts: { ...scripts },
  });
}

/** A client of a cluster, not connected yet. Its map of slots is refreshed by `MOVED` and by who owns it, not by time. */
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
  // Certificates are for names: they must reach the TLS connection as they were given.
  if (settings.tls !== undefined) options.dnsLookup = (name, callback) => callback(null, name);
  return new Cluster(
    seeds.map(({ host, port }) => ({ host, port })),
    { ...options, redisOptions: commandOptions(settings) },
  );
}

/** A client for commands that block, of one server: not connected yet, and it never connects again. */
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
