/** One server. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** TLS settings, with certificates in PEM. */
export interface RedisTls {
  /** The only trusted authorities; absent: Node's default ones. Each connection reads the properties again. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the servers' certificates must contain; default: the host of each server. */
  readonly serverName?: string | undefined;
  /** Explains a connection error in terms of the configuration; messages append the explanation in brackets. */
  readonly explain?: (error: Error) => string | undefined;
}

/** The address of Redis, the credentials, the timeout and the names of the keys. */
export interface RedisSettings {
  /** One server, or seeds of a cluster, from which the client learns the other servers. */
  readonly servers:
    | { readonly topology: 'standalone'; readonly address: RedisAddress; readonly database: number }
    | { readonly topology: 'cluster'; readonly seeds: readonly RedisAddress[] };
  readonly username?: string;
  readonly password?: string;
  readonly tls?: RedisTls;
  /** Timeout of every command, in ms. */
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
    // An IPv6 address has brackets in a URL only.
    address: { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? 6379 : Number(url.port) },
    database: Number(database),
    isTls: url.protocol === 'rediss:',
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
  };
}
