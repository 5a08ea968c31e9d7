/** One server. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** TLS; certificates in PEM. */
export interface RedisTls {
  /** The only trusted authorities; absent: the well-known ones. Each connection reads the texts anew. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the servers' certificates must be for; default: the host of each. */
  readonly serverName?: string | undefined;
  /** Explains an error of a connection in terms of the configuration; messages append it in brackets. */
  readonly explain?: (error: Error) => string | undefined;
}

/** The address of Redis, and how a process talks to it. */
export interface RedisSettings {
  /** One server, or seeds of a cluster, which name the other servers. */
  readonly servers:
    | { readonly topology: 'standalone'; readonly address: RedisAddress; readonly database: number }
    | { readonly topology: 'cluster'; readonly seeds: readonly RedisAddress[] };
  readonly username?: string;
  readonly password?: string;
  readonly tls?: RedisTls;
  /** Bounds every command, in ms. */
  readonly commandTimeoutMillis: number;
  /** See {@link Keyspace}. */
  readonly keyPrefix: string;
  readonly membershipKey: string;
}

/** The settings in a URL. */
export interface RedisUrl {
  readonly address: RedisAddress;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  /** The scheme is `rediss`. */
  readonly isTls: boolean;
}

/**
 * Parses `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS; also a bare `host[:port]`.
 *
 * @throws RangeError with a sentence that repeats no password.
 */
export function parseRedisUrl(text: string): RedisUrl {
  const url = URL.parse(/^\w+:\/\//.test(text) ? text : `redis://${text}`);
  if (url === null || url.hostname === '') throw new RangeError('A Redis URL looks like redis://host:6379/0.');
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new RangeError(`A Redis URL begins with redis:// or rediss://, not ${url.protocol}//`);
  }
  const [parameter] = url.searchParams.keys();
  if (parameter !== undefined) {
    throw new RangeError(
      `A Redis URL has no parameters, but this one has ${parameter}: use the keys of redis.* instead.`,
    );
  }
  const database = url.pathname.replace('/', '');
  if (!/^\d*$/.test(database)) throw new RangeError('The path of a Redis URL is the number of a database.');
  return {
    // The brackets belong to the URL, not to the address.
    address: { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? 6379 : Number(url.port) },
    database: Number(database),
    isTls: url.protocol === 'rediss:',
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
  };
}
