/**
 * Creates ioredis clients. Their options guarantee that a client sends each command at most once, answers or refuses it
 * within its deadline, and never keeps it for later:
 *
 * - no offline queue: it would run a command after the reconnect although the deadline has refused it;
 * - a disconnect refuses all commands in flight, and the client repeats none of them;
 * - the client follows only `MOVED`, `ASK` and `TRYAGAIN`, because the server has not executed such a command;
 * - the client cuts a connection that is silent for a few seconds with commands in flight, because it may be half open;
 * - the client of each primary reconnects by itself. Otherwise a cluster client would send to any node that it knows,
 *   replicas included.
 */
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { RedisAddress, RedisSettings, RedisTls } from './settings.ts';
import { scripts } from './scripts.ts';
import { mendClients } from './steady-clients.ts';

mendClients();

/** Timeout of the TCP connect, in ms. */
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
    // Getters, because the files are renewed while the clients live: ioredis reads the options for each connection.
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

/** Creates a client of one server, not connected yet. */
export function standaloneClient(settings: RedisSettings, { host, port }: RedisAddress, database: number): Redis {
  return new Redis({
    ...commandOptions(settings),
    host,
    port,
    db: database,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelay,
    // The server was demoted, and its name may resolve to the new primary. The client does not repeat the command.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    scripts: { ...scripts },
  });
}

/** Creates a client of a cluster, not connected yet. `MOVED` and the link refresh its map of slots; no timer does. */
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
  // Certificates contain names, so TLS needs the configured names instead of resolved addresses.
  if (settings.tls !== undefined) options.dnsLookup = (name, callback) => callback(null, name);
  return new Cluster(
    seeds.map(({ host, port }) => ({ host, port })),
    { ...options, redisOptions: commandOptions(settings) },
  );
}

/** Creates a client for blocking commands of one server. It is not connected yet and never reconnects. */
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
