import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { CallbackKey, Config, TlsConfig } from './config.ts';

/** A rule across several keys. A broken rule either prevents the start or is a warning. */
export interface Rule {
  /** For the reference page. */
  readonly text: string;
  readonly severity: 'problem' | 'warning';
  /** A sentence for each violation; `origin` returns where a key's value came from. */
  check(config: Config, origin: (path: string) => string): readonly string[];
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a listener on this host. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIPv4(bare)) return loopback.check(bare, 'ipv4');
  if (isIPv6(bare)) return loopback.check(bare, 'ipv6');
  return bare === 'localhost';
}

/** All configured callback keys: the first signs, all verify. Empty if none is configured. */
export function callbackKeysOf({ keys, hmacSecret, hmacKid }: Config['runtime']['callback']): readonly CallbackKey[] {
  return hmacSecret === undefined ? keys : [...keys, { kid: hmacKid, secret: hmacSecret }];
}

/**
 * Minimum length of a callback secret in characters. A leaked token lets an attacker test secrets offline at the speed
 * of HMAC-SHA256; 32 characters have 128 bits even as hexadecimal digits.
 */
const minSecretLength = 32;

const when = (broken: boolean, sentence: string): readonly string[] => (broken ? [sentence] : []);

/** All rules. */
export const rules: readonly Rule[] = [
  {
    text: 'Listening beyond loopback needs authentication, `security.allowUnauthenticated: true`, or `server.api: false`.',
    severity: 'problem',
    check: ({ server, security }, origin) =>
      when(
        server.api && !isLoopback(server.host) && !security.auth.enabled && !security.allowUnauthenticated,
        `server.host (${origin('server.host')}) is ${server.host}, which is not a loopback address, and there is ` +
          'no authentication: configure security.auth.apiKeys or security.auth.jwt, or set security.allowUnauthenticated to ' +
          'true if everybody who reaches the port may do everything.',
      ),
  },
  {
    text: 'A process with `server.api: false` runs executions.',
    severity: 'problem',
    check: ({ server, runtime }, origin) =>
      when(
        !server.api && !runtime.enabled,
        `server.api (${origin('server.api')}) and runtime.enabled (${origin('runtime.enabled')}) are both false: the process would do nothing.`,
      ),
  },
  {
    text: 'With `server.api: false` nothing comes in where the store is embedded, since it belongs to one process.',
    severity: 'warning',
    check: ({ server, database }) =>
      when(
        !server.api && database.driver === 'EMBEDDED',
        'server.api is false: executions of the embedded store go on, but none can be started, seen or called back.',
      ),
  },
  {
    text: '`database.driver: POSTGRES` needs `database.url` or `database.host`.',
    severity: 'problem',
    check: ({ database }, origin) =>
      when(
        database.driver === 'POSTGRES' && database.url === undefined && database.host === undefined,
        `database.driver (${origin('database.driver')}) is POSTGRES, and neither database.url nor database.host says where it is.`,
      ),
  },
  {
    text: '`redis.topology` needs `redis.url` (`STANDALONE`) or `redis.cluster.nodes` (`CLUSTER`), and Postgres as the store.',
    severity: 'problem',
    check: ({ database, redis }, origin) => {
      const is = `redis.topology (${origin('redis.topology')}) is ${redis.topology}`;
      return [
        ...when(
          redis.topology === 'STANDALONE' && redis.url === undefined,
          `${is}, and redis.url does not say where it is.`,
        ),
        ...when(
          redis.topology === 'CLUSTER' && redis.cluster.nodes.length === 0,
          `${is}, and redis.cluster.nodes is empty.`,
        ),
        ...when(
          redis.topology !== 'NONE' && database.driver === 'EMBEDDED',
          `${is}, but the embedded store belongs to one process, which needs no shared queue: set database.url, or leave Redis out.`,
        ),
      ];
    },
  },
  {
    text: 'Keys of a store or queue that is not the one in use count for nothing.',
    severity: 'warning',
    check: ({ database, redis }, origin) => [
      ...when(
        database.driver === 'EMBEDDED' && (database.url !== undefined || database.host !== undefined),
        `database.driver (${origin('database.driver')}) is EMBEDDED, so that database.url and database.host count for nothing.`,
      ),
      ...when(
        redis.topology === 'NONE' && redis.url !== undefined,
        `redis.topology (${origin('redis.topology')}) is NONE, so that redis.url counts for nothing.`,
      ),
      ...when(
        redis.topology !== 'CLUSTER' && redis.cluster.nodes.length > 0,
        `redis.topology (${origin('redis.topology')}) is ${redis.topology}, so that redis.cluster.nodes counts for nothing.`,
      ),
    ],
  },
  {
    text: '`redis.sharding.membershipTtlMillis` is at least twice `heartbeatIntervalMillis`.',
    severity: 'problem',
    check: ({ redis: { sharding } }, origin) =>
      when(
        sharding.membershipTtlMillis < 2 * sharding.heartbeatIntervalMillis,
        `redis.sharding.membershipTtlMillis (${origin('redis.sharding.membershipTtlMillis')}) is ` +
          `${sharding.membershipTtlMillis}, less than two heartbeats (${2 * sharding.heartbeatIntervalMillis}): ` +
          'one that is late would make living processes lose their shards.',
      ),
  },
  {
    text: '`redis.sharding.membershipTtlMillis` should be at least three times `heartbeatIntervalMillis`.',
    severity: 'warning',
    check: ({ redis: { sharding } }) =>
      when(
        sharding.membershipTtlMillis < 3 * sharding.heartbeatIntervalMillis,
        `redis.sharding.membershipTtlMillis (${sharding.membershipTtlMillis}) is less than three heartbeats ` +
          `(${3 * sharding.heartbeatIntervalMillis}): two that are late make this process lose its shards.`,
      ),
  },
  {
    text: '`redis.cluster.nodes` should name three nodes or more.',
    severity: 'warning',
    check: ({ redis }) =>
      when(
        redis.topology === 'CLUSTER' && redis.cluster.nodes.length < 3,
        `redis.cluster.nodes names ${redis.cluster.nodes.length} of the nodes: should these be away at the start, no other is found.`,
      ),
  },
  {
    text: '`metrics.public: false` needs authentication.',
    severity: 'problem',
    check: ({ metrics, security }, origin) =>
      when(
        metrics.enabled && !metrics.public && !security.auth.enabled,
        `metrics.public (${origin('metrics.public')}) is false, but without authentication callers cannot be told ` +
          'apart: set metrics.enabled to false instead, or configure security.auth.',
      ),
  },
  {
    text: '`security.auth.enabled: true` needs `security.auth.apiKeys` or `security.auth.jwt`.',
    severity: 'problem',
    check: ({ security: { auth } }, origin) =>
      when(
        auth.enabled && auth.apiKeys.length === 0 && auth.jwt.issuer === undefined,
        `security.auth.enabled (${origin('security.auth.enabled')}) is true, but there is neither an API key nor a token ` +
          'issuer, so every request would be refused. `trama keys create` makes a key.',
      ),
  },
  {
    text: '`security.auth.enabled: false` leaves configured keys and issuers without use.',
    severity: 'warning',
    check: ({ security: { auth } }, origin) =>
      when(
        !auth.enabled && (auth.apiKeys.length > 0 || auth.jwt.issuer !== undefined),
        `security.auth.enabled (${origin('security.auth.enabled')}) is false, so the configured credentials are not checked.`,
      ),
  },
  {
    text: '`security.auth.jwt.issuer`, `audience` and `jwksUrl` come together.',
    severity: 'problem',
    check: ({ security: { auth } }) => {
      const { issuer, audience, jwksUrl } = auth.jwt;
      const missing = Object.entries({ issuer, audience, jwksUrl }).filter(([, value]) => value === undefined);
      if (missing.length === 3) return [];
      return missing.map(([name]) => `security.auth.jwt needs ${name}, too.`);
    },
  },
  {
    text: '`security.auth.jwt.jwksUrl` should be https: an attacker who can change the answer can make tokens.',
    severity: 'warning',
    check: ({ security: { auth } }) => {
      const url = auth.jwt.jwksUrl === undefined ? null : URL.parse(auth.jwt.jwksUrl);
      return when(
        url !== null && url.protocol !== 'https:' && !isLoopback(url.hostname),
        `security.auth.jwt.jwksUrl is not https: an attacker who can change the answers of ${url?.host ?? ''} can make tokens.`,
      );
    },
  },
  {
    text: 'Every id and every sha256 of `security.auth.apiKeys` is there once.',
    severity: 'problem',
    check: ({ security: { auth } }, origin) => {
      const doubled = (values: readonly string[]): ReadonlySet<string> =>
        new Set(values.filter((value, index) => values.indexOf(value) !== index));
      const where = `security.auth.apiKeys (${origin('security.auth.apiKeys')})`;
      const digests = doubled(auth.apiKeys.map(({ sha256 }) => sha256));
      const same = auth.apiKeys.filter(({ sha256 }) => digests.has(sha256)).map(({ id }) => id);
      return [
        ...[...doubled(auth.apiKeys.map(({ id }) => id))].map((id) => `${where} has the id ${id} more than once.`),
        ...when(same.length > 0, `${where} has the same sha256 for ${same.join(', ')}.`),
      ];
    },
  },
  {
    text: 'API keys whose `expiresAt` has passed are reported.',
    severity: 'warning',
    check: ({ security: { auth } }) =>
      auth.apiKeys
        .filter(({ expiresAt = Infinity }) => expiresAt <= Date.now())
        .map(({ id, expiresAt = 0 }) => `The API key ${id} expired at ${new Date(expiresAt).toISOString()}.`),
  },
  {
    text: '`runtime.maxNodeVisits` is at most `runtime.maxNodeVisitsCap`.',
    severity: 'problem',
    check: ({ runtime }, origin) =>
      when(
        runtime.maxNodeVisits > runtime.maxNodeVisitsCap,
        `runtime.maxNodeVisits (${origin('runtime.maxNodeVisits')}) is ${runtime.maxNodeVisits}, more than ` +
          `runtime.maxNodeVisitsCap (${origin('runtime.maxNodeVisitsCap')}), which is ${runtime.maxNodeVisitsCap}.`,
      ),
  },
  {
    text:
      'Certificates and their keys (`server.tls`, `database.ssl`, `redis.tls`, `http.egress.tls`) come in pairs; ' +
      '`server.tls.clientCaFile` needs both.',
    severity: 'problem',
    check: ({ server, database, redis, http }) => [
      ...pair('server.tls', server.tls),
      ...pair('database.ssl', database.ssl),
      ...pair('redis.tls', redis.tls),
      ...pair('http.egress.tls', http.egress.tls),
      ...when(
        server.tls.clientCaFile !== undefined && server.tls.certFile === undefined,
        'server.tls.clientCaFile needs server.tls.certFile and server.tls.keyFile.',
      ),
    ],
  },
  {
    text: 'With `database.ssl: false` or `redis.tls: false` none of the keys below it has a value.',
    severity: 'problem',
    check: ({ database, redis }, origin) => [
      ...unused('database.ssl', database.ssl, origin),
      ...unused('redis.tls', redis.tls, origin),
    ],
  },
  {
    text: 'Every kid of `runtime.callback.keys` and `hmacKid` names one key.',
    severity: 'problem',
    check: ({ runtime }, origin) => {
      const kids = callbackKeysOf(runtime.callback).map((key) => key.kid);
      const doubled = new Set(kids.filter((kid, index) => kids.indexOf(kid) !== index));
      return [...doubled].map(
        (kid) =>
          `runtime.callback.keys (${origin('runtime.callback.keys')}) and runtime.callback.hmacKid name more than one key ${kid}.`,
      );
    },
  },
  {
    text: `Secrets of callback keys have at least ${minSecretLength} characters, blanks around them not counted.`,
    severity: 'problem',
    check: ({ runtime }, origin) =>
      callbackKeysOf(runtime.callback)
        .filter(({ secret }) => secret.trim().length < minSecretLength)
        .map(({ kid }) => {
          const isKey = runtime.callback.keys.some((key) => key.kid === kid);
          const path = isKey ? 'runtime.callback.keys' : 'runtime.callback.hmacSecret';
          return (
            `The callback key ${kid} of ${path} (${origin(path)}) has a secret of less than ${minSecretLength} characters: ` +
            'a token that leaks would let its finder guess it. `openssl rand -base64 32` makes a good one.'
          );
        }),
  },
  {
    text: 'Async nodes cannot run without `runtime.callback.baseUrl` where the server does not listen on loopback, or serves no API.',
    severity: 'warning',
    check: ({ runtime, server }) =>
      when(
        runtime.callback.baseUrl === undefined && !(isLoopback(server.host) && server.api),
        'runtime.callback.baseUrl is not set, so async nodes cannot run: downstreams would not know where to call back.',
      ),
  },
  {
    text: '`runtime.drainTimeoutMillis` should be at least `http.requestTimeoutMillis` + 1000, so that a stop can await calls.',
    severity: 'warning',
    check: ({ runtime, http }) =>
      when(
        runtime.drainTimeoutMillis < http.requestTimeoutMillis + 1000,
        `runtime.drainTimeoutMillis (${runtime.drainTimeoutMillis}) is below http.requestTimeoutMillis + 1000 ` +
          `(${http.requestTimeoutMillis + 1000}): a stop will cut off calls, whose outcome is then unknown.`,
      ),
  },
  {
    text: '`http.requestTimeoutMillis` should be at most `http.maxTimeoutMillis`, after which every call ends.',
    severity: 'warning',
    check: ({ http }, origin) =>
      when(
        http.requestTimeoutMillis > http.maxTimeoutMillis,
        `http.requestTimeoutMillis (${http.requestTimeoutMillis}) is above http.maxTimeoutMillis ` +
          `(${http.maxTimeoutMillis}, ${origin('http.maxTimeoutMillis')}): calls end after the latter.`,
      ),
  },
  {
    text: '`http.perHost.maxConcurrency` and its overrides should be below `runtime.workerCount`, so that one host that does not answer leaves places to the others.',
    severity: 'warning',
    check: ({ http: { perHost }, runtime }, origin) => {
      // A single place cannot be shared.
      if (!runtime.enabled || runtime.workerCount === 1) return [];
      const workers = `runtime.workerCount (${runtime.workerCount}, ${origin('runtime.workerCount')})`;
      const consequence = 'a host that does not answer can take every place of this process.';
      const greedy = Object.entries(perHost.overrides).filter(([, limit]) => limit >= runtime.workerCount);
      return [
        ...when(
          perHost.maxConcurrency >= runtime.workerCount,
          `http.perHost.maxConcurrency (${perHost.maxConcurrency}) is not below ${workers}: ${consequence}`,
        ),
        ...greedy.map(
          ([host, limit]) => `http.perHost.overrides gives ${host} ${limit}, not below ${workers}: ${consequence}`,
        ),
      ];
    },
  },
  {
    text: 'With `runtime.enabled: false` nothing runs where the store is embedded, since it belongs to one process.',
    severity: 'warning',
    check: ({ runtime, database }) =>
      when(
        !runtime.enabled && database.driver === 'EMBEDDED',
        'runtime.enabled is false: executions are accepted, but nothing runs them.',
      ),
  },
];

function pair(
  group: string,
  { certFile, keyFile }: { readonly certFile: string | undefined; readonly keyFile: string | undefined },
): readonly string[] {
  if ((certFile === undefined) === (keyFile === undefined)) return [];
  const [given, missing] = certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
  return [`${group}.${given} needs ${group}.${missing}.`];
}

/** Reports TLS files that are set while TLS is off: it was probably meant to be on. */
function unused(group: string, { isOn, ...rest }: TlsConfig, origin: (path: string) => string): readonly string[] {
  if (isOn) return [];
  return Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `${group} (${origin(group)}) is false, so ${group}.${name} counts for nothing.`);
}
