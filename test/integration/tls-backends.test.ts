/**
 * TLS to Postgres and Redis as an operator sets it up: a private authority, client certificates demanded by both, whole
 * servers as processes of their own, configured by files and variables.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createStore } from '../../src/compose/backends.ts';
import { readTls } from '../../src/compose/tls/tls-files.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type MadeCertificate, TestAuthority } from '../certificate-maker.ts';
import { type Downstream, startDownstream, startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisCluster } from '../servers/redis-cluster.ts';
import { RedisServer } from '../servers/redis.ts';
import { gatherUncaught } from '../uncaught.ts';
import { beginToOpen, patience, refusedQueue, settingsFor, standaloneAt } from './redis-queues.ts';

const authority = new TestAuthority();
const stranger = new TestAuthority('Stranger');
/** Of nothing that can be reached by that name: `serverName` has to say it. */
const inside = authority.issue({ commonName: 'inside', names: ['db.internal'] });
const address = authority.issue({ commonName: 'address', names: ['127.0.0.1'] });
const elsewhere = authority.issue({ commonName: 'elsewhere', names: ['localhost'] });
const longAgo = new Date('2021-01-01T00:00:00Z');
const expired = authority.issue({ commonName: 'expired', names: ['127.0.0.1'], notAfter: longAgo });
const files: Readonly<Record<string, string>> = {
  'ca.pem': authority.cert,
  'stranger-ca.pem': stranger.cert,
  ...pairFiles('app', authority.issue({ commonName: 'app' })),
  ...pairFiles('stranger', authority.issue({ commonName: 'stranger' })),
  ...pairFiles('late', authority.issue({ commonName: 'app', notAfter: longAgo })),
  ...pairFiles('forged', stranger.issue({ commonName: 'app' })),
  ...pairFiles('address', address),
  ...pairFiles('inside', inside),
  ...pairFiles('elsewhere', elsewhere),
  ...pairFiles('expired', expired),
};

function pairFiles(name: string, { cert, key }: MadeCertificate): Record<string, string> {
  return { [`${name}.pem`]: cert, [`${name}.key`]: key };
}

/** One for each queue: the workers of a store have to agree on theirs. */
const databases = ['app', 'with_redis', 'with_cluster'] as const;

let directory: string;
let postgres: PostgresServer;
let downstream: Downstream;
const at = (name: string): string => join(directory, name);

/** Variables that name files, below a group of keys. */
const tlsEnv = (group: 'DATABASE_SSL' | 'REDIS_TLS', ca: string, pair?: string, serverName?: string) => ({
  [`${group}_CAFILE`]: at(ca),
  ...(pair !== undefined && { [`${group}_CERTFILE`]: at(`${pair}.pem`), [`${group}_KEYFILE`]: at(`${pair}.key`) }),
  ...(serverName !== undefined && { [`${group}_SERVERNAME`]: serverName }),
});

/** Postgres as it wants it. */
const tlsEnvOf = () => tlsEnv('DATABASE_SSL', 'ca.pem', 'app');

/** What a TLS-only Redis is started with. */
const redisDirectives = (pair: string): Record<string, string> => ({
  'tls-auth-clients': 'yes',
  'tls-ca-cert-file': at('ca.pem'),
  'tls-cert-file': at(`${pair}.pem`),
  'tls-key-file': at(`${pair}.key`),
});

const startRedis = async (pair: string): Promise<RedisServer> => {
  const [port] = (await freePorts(1)) as [number];
  return RedisServer.start({ port, directives: { port: '0', 'tls-port': String(port), ...redisDirectives(pair) } });
};

/** Makes Postgres show that certificate to new connections from some moment soon. */
async function servePostgresWith({ cert, key }: MadeCertificate): Promise<void> {
  await postgres.putFiles({ 'server.crt': cert, 'server.key': key });
  await postgres.query('SELECT pg_reload_conf()');
}

/** Servers and processes take their time on a busy machine, in ms. */
const patienceMillis = 300_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-tls-'));
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)));
  downstream = await startDownstream((_request, response) => response.end('{}'));
  postgres = await PostgresServer.create();
  await postgres.query(['CREATE ROLE app LOGIN', ...databases.map((name) => `CREATE DATABASE ${name} OWNER app`)]);
  await postgres.putFiles({
    'ca.crt': authority.cert,
    // The user app shows a certificate for app; the tests' own user connects in any way.
    'pg_hba.conf': [
      'hostssl all app 127.0.0.1/32 trust clientcert=verify-full',
      'host all app 127.0.0.1/32 reject',
      'host all trama 127.0.0.1/32 trust',
      '',
    ].join('\n'),
  });
  await postgres.putFiles({ 'server.crt': address.cert, 'server.key': address.key });
  await postgres.restart('fast', { ssl: 'on', ssl_ca_file: 'ca.crt' });
}, patienceMillis);

afterAll(async () => {
  await postgres.remove();
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

const started: TramaProcess[] = [];
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});

const databaseUrl = (database: (typeof databases)[number] = 'app'): string =>
  postgres.url(database).replace('trama@', 'app@');
const serve = (env: Readonly<Record<string, string>>): TramaProcess => {
  const server = startTrama(['serve', '--port', '0'], { DATABASE_URL: databaseUrl(), ...env });
  started.push(server);
  return server;
};

const definition = (): object => ({
  name: 'hello',
  version: '1',
  steps: [{ name: 'a', up: { url: `${downstream.url}/a`, verb: 'POST' } }],
});

/** The status of an execution run to its end. */
async function runOn(server: TramaProcess): Promise<unknown> {
  const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
  const answer = await fetch(`${url}/workflows/run?waitMillis=30000`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition: definition() }),
  });
  return ((await answer.json()) as { status?: unknown }).status;
}

/** The configuration of these variables. */
function configOf(env: Readonly<Record<string, string>>): Config {
  const loaded = loadConfig({ env: { DATABASE_URL: databaseUrl(), ...env }, directory });
  if (!loaded.ok) throw new Error(loaded.problems.join(' '));
  return loaded.config;
}

/** What is said when the store of a configuration is opened; undefined when it opens. */
async function problemOf(env: Readonly<Record<string, string>>): Promise<string | undefined> {
  for (;;) {
    try {
      const store = await createStore(configOf(env), { migrate: true, onFault: () => undefined });
      try {
        await store.open();
        return undefined;
      } finally {
        await store.close();
      }
    } catch (error) {
      // A busy machine may be too slow for the handshake; the next attempt says what it is about.
      const { message } = error as Error;
      if (!/timeout|timed out/.test(message)) return message;
    }
  }
}

const encryption = `SELECT count(*) FILTER (WHERE s.ssl AND s.client_dn = '/CN=app')::int AS good, count(*)::int AS "all"
  FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'app'`;

describe('Postgres that verifies clients', () => {
  it(
    'is reached with the certificate of the user',
    async () => {
      const server = serve(tlsEnvOf());
      expect(await runOn(server)).toBe('SUCCEEDED');
      const [counts] = await postgres.query(encryption);
      expect(counts?.['all']).toBeGreaterThan(0);
      expect(counts?.['good']).toBe(counts?.['all']);
    },
    patienceMillis,
  );

  it.each([
    ['without a certificate', 'ca.pem', undefined, undefined, /client certificate: database\.ssl\.certFile/],
    [
      "with another user's",
      'ca.pem',
      'stranger',
      undefined,
      /does not accept the client certificate, database\.ssl\.certFile/,
    ],
    [
      'with an expired one',
      'ca.pem',
      'late',
      undefined,
      /does not accept the client certificate, database\.ssl\.certFile/,
    ],
    [
      'with one of another authority',
      'ca.pem',
      'forged',
      undefined,
      /does not accept the client certificate, database\.ssl\.certFile/,
    ],
    [
      'and another authority is trusted',
      'stranger-ca.pem',
      'app',
      undefined,
      /\(database\.ssl\.caFile does not hold the authority/,
    ],
    ['and another name is expected', 'ca.pem', 'app', 'db.internal', /\(database\.ssl\.serverName says which name/],
    [
      'and the file is missing',
      'nowhere.pem',
      'app',
      undefined,
      /database\.ssl\.caFile: the file \S+nowhere\.pem cannot be read \(ENOENT\)/,
    ],
  ])('refuses %s, and the message names the key', async (_case, ca, pair, serverName, sentence) => {
    expect(await problemOf(tlsEnv('DATABASE_SSL', ca, pair, serverName))).toMatch(sentence);
  });

  it('is not spoken to in the clear', async () => {
    expect(await problemOf({})).toMatch(/pg_hba|no encryption|rejects connection/);
  });

  it('does not leave out what libpq reads from the URL', async () => {
    const url = `${databaseUrl()}?sslmode=verify-full&sslrootcert=/ca.pem`;
    expect(await problemOf({ DATABASE_URL: url })).toContain('sslrootcert, which belongs into database.ssl.caFile');
  });
});

describe('the certificate of Postgres', () => {
  const named = () => ({ DATABASE_SSL_SERVERNAME: 'db.internal' });
  const byName = () => ({ DATABASE_URL: databaseUrl().replace('127.0.0.1', 'localhost') });

  /** What is said in the end: the server may take a moment to show its new certificate. */
  const says = (env: Readonly<Record<string, string>>, expected: RegExp | undefined): Promise<void> =>
    vi.waitFor(async () => {
      const problem = await problemOf({ ...tlsEnvOf(), ...env });
      if (expected === undefined) expect(problem).toBeUndefined();
      else expect(problem).toMatch(expected);
    }, patience);

  it('has to be for the address that is connected to, not for localhost', async () => {
    await servePostgresWith(elsewhere);
    await says({}, /\(database\.ssl\.serverName says which name to expect\)/);
    await says(byName(), undefined);
  });

  it('may be for the name that the configuration says', async () => {
    await servePostgresWith(inside);
    await says(named(), undefined);
    await says({}, /database\.ssl\.serverName/);
    // A name that is connected to gives way, too.
    await says({ ...named(), ...byName() }, undefined);
  });

  it('is refused once it has expired', async () => {
    await servePostgresWith(expired);
    await says({}, /has expired.*database\.ssl\.caFile/);
    await servePostgresWith(address);
    await says({}, undefined);
  });
});

describe('Redis that verifies clients', () => {
  const redis: RedisServer[] = [];
  afterAll(async () => {
    for (const server of redis) await server.close();
  });
  const started = async (pair: string): Promise<number> => {
    redis.push(await startRedis(pair));
    return redis.at(-1)!.port;
  };
  const envOf = (port: number) => ({
    DATABASE_URL: databaseUrl('with_redis'),
    ...tlsEnvOf(),
    REDIS_URL: `rediss://127.0.0.1:${String(port)}`,
  });

  it(
    'is reached with a certificate, for a name that the configuration says',
    async () => {
      const port = await started('inside');
      const server = serve({ ...envOf(port), ...tlsEnv('REDIS_TLS', 'ca.pem', 'app', 'db.internal') });
      expect(await runOn(server)).toBe('SUCCEEDED');
    },
    patienceMillis,
  );

  it.each([
    ['no certificate is shown', 'address', 'ca.pem', undefined, /client certificate: redis\.tls\.certFile/],
    ['that has expired', 'address', 'ca.pem', 'late', /does not accept the client certificate, redis\.tls\.certFile/],
    ['is of another authority', 'address', 'ca.pem', 'forged', /does not accept the client certificate, redis\.tls/],
    ['it is trusted by another authority', 'address', 'stranger-ca.pem', 'app', /redis\.tls\.caFile does not hold/],
    ['its own is for another name', 'inside', 'ca.pem', 'app', /redis\.tls\.serverName says which name/],
    ['its own has expired', 'expired', 'ca.pem', 'app', /has expired.*redis\.tls\.caFile/],
  ])('is refused when %s, and the message names the key', async (_case, shown, ca, pair, sentence) => {
    const port = await started(shown);
    const tls = readTls('redis.tls', configOf(tlsEnv('REDIS_TLS', ca, pair)).redis.tls)!;
    const { queue, errors } = refusedQueue(settingsFor(standaloneAt(port), { tls }));
    await vi.waitFor(() => {
      expect(errors.map(({ message }) => message).join()).toMatch(sentence);
    }, patience);
    await vi.waitFor(async () => {
      await expect(queue.count([{ count: 64, index: 7 }])).rejects.toThrow(sentence);
    }, patience);
  });

  it('may be left at any moment while its certificate is refused, and the process lives', async () => {
    const uncaught = gatherUncaught();
    const port = await started('inside');
    const tls = readTls('redis.tls', configOf(tlsEnv('REDIS_TLS', 'ca.pem', 'app')).redis.tls)!;
    const leave = async (): Promise<void> => {
      for (let count = 0; count < 25; count++) {
        const { queue } = beginToOpen(settingsFor(standaloneAt(port), { tls }));
        // Somewhere in the handshake: the server then says, too, what it thinks of it.
        await pause(Math.random() * 150);
        await queue.close();
      }
    };
    await Promise.all([leave(), leave(), leave(), leave()]);
    await pause(100);
    expect(uncaught).toEqual([]);
  });

  it(
    'stops the start when a file cannot be used, and warns of a certificate that no server will accept',
    async () => {
      const env = { ...envOf(1), ...tlsEnv('REDIS_TLS', 'ca.pem', 'late') };
      const { code, out, notes } = await serve({ ...env, REDIS_TLS_KEYFILE: at('stranger.key') }).ended;
      expect([code, out]).toEqual([1, expect.any(String)]);
      expect(notes).toContain(`redis.tls.keyFile: the key in the file ${at('stranger.key')} does not belong to`);
      const missing = await serve({ ...env, REDIS_TLS_CAFILE: at('nowhere.pem') }).ended;
      expect(missing.out).toContain('redis.tls.certFile: the certificate expired at 2021-01-01');
      expect(missing.notes).toContain(`redis.tls.caFile: the file ${at('nowhere.pem')} cannot be read (ENOENT)`);
    },
    patienceMillis,
  );
});

it(
  'a cluster speaks TLS on every connection, by the names that its nodes announce',
  async () => {
    const client = { ca: authority.cert, cert: files['app.pem']!, key: files['app.key']! };
    const cluster = await RedisCluster.start({ directives: redisDirectives('address'), client: { tls: client } });
    try {
      const nodes = cluster.seeds.slice(0, 3).map(({ host, port }) => `${host}:${String(port)}`);
      const server = serve({
        DATABASE_URL: databaseUrl('with_cluster'),
        ...tlsEnvOf(),
        ...tlsEnv('REDIS_TLS', 'ca.pem', 'app'),
        REDIS_CLUSTER_NODES: nodes.join(','),
      });
      expect(await runOn(server)).toBe('SUCCEEDED');
      const [url] = (await server.said(/"url":"([^"]+)".*"msg":"ready"/)).slice(1);
      const ready = await fetch(`${url!}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([200, 'ready']);
    } finally {
      await cluster.close();
    }
  },
  patienceMillis,
);
