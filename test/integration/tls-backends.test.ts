/**
 * TLS to Postgres and Redis as an operator sets it up: a private authority, client certificates demanded by both, whole
 * servers as processes of their own, configured by files and variables.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type MadeCertificate, TestAuthority } from '../certificate-maker.ts';
import { type Downstream, startDownstream, startTrama, trama, type TramaProcess } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisCluster } from '../servers/redis-cluster.ts';
import { RedisServer } from '../servers/redis.ts';

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
  ...pairFiles('somebody', authority.issue({ commonName: 'somebody' })),
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

/** Makes Postgres show that certificate; it is stopped and started again. */
async function servePostgresWith({ cert, key }: MadeCertificate): Promise<void> {
  await postgres.putFiles({ 'server.crt': cert, 'server.key': key });
  await postgres.restart('fast', { ssl: 'on', ssl_ca_file: 'ca.crt' });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-tls-'));
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)));
  downstream = await startDownstream((_request, response) => response.end('{}'));
  postgres = await PostgresServer.create();
  await postgres.query(['CREATE ROLE app LOGIN', ...databases.map((name) => `CREATE DATABASE ${name} OWNER app`)]);
  await postgres.putFiles({
    'ca.crt': authority.cert,
    // Whoever is app shows a certificate for app; the tests' own user comes as it likes.
    'pg_hba.conf': [
      'hostssl all app 127.0.0.1/32 trust clientcert=verify-full',
      'host all app 127.0.0.1/32 reject',
      'host all trama 127.0.0.1/32 trust',
      '',
    ].join('\n'),
  });
  await servePostgresWith(address);
});

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

/** How `migrate` ends: it opens the store, and says why it cannot. */
const migrate = async (env: Readonly<Record<string, string>>, url = databaseUrl()) => {
  const { code, notes } = await trama(['migrate'], { DATABASE_URL: url, ...env });
  return { code, notes };
};

const encryption = `SELECT count(*) FILTER (WHERE s.ssl AND s.client_dn = '/CN=app')::int AS good, count(*)::int AS "all"
  FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'app'`;

describe('Postgres that verifies clients', () => {
  it('is reached with the certificate of the user', async () => {
    const server = serve(tlsEnv('DATABASE_SSL', 'ca.pem', 'app'));
    expect(await runOn(server)).toBe('SUCCEEDED');
    const [counts] = await postgres.query(encryption);
    expect(counts?.['all']).toBeGreaterThan(0);
    expect(counts?.['good']).toBe(counts?.['all']);
  });

  it.each([
    ['without a certificate', 'ca.pem', undefined, undefined, /client certificate: database\.ssl\.certFile/],
    [
      "with somebody else's",
      'ca.pem',
      'somebody',
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
    const { code, notes } = await migrate(tlsEnv('DATABASE_SSL', ca, pair, serverName));
    expect(notes).toMatch(sentence);
    expect(code).not.toBe(0);
  });

  it('is not spoken to in the clear', async () => {
    expect((await migrate({})).notes).toMatch(/pg_hba|no encryption|rejects connection/);
  });

  it('does not take what libpq reads from the URL for granted', async () => {
    const { code, notes } = await migrate({}, `${databaseUrl()}?sslmode=verify-full&sslrootcert=/ca.pem`);
    expect([code === 0, notes]).toEqual([false, expect.stringContaining('belongs into database.ssl.caFile')]);
  });
});

describe('the certificate of Postgres', () => {
  const env = () => tlsEnv('DATABASE_SSL', 'ca.pem', 'app');

  it('has to be for the address that is connected to, not for localhost', async () => {
    await servePostgresWith(elsewhere);
    expect((await migrate(env())).notes).toContain('(database.ssl.serverName says which name to expect)');
    expect((await migrate(env(), databaseUrl().replace('127.0.0.1', 'localhost'))).code).toBe(0);
  });

  it('may be for the name that the configuration says', async () => {
    await servePostgresWith(inside);
    expect((await migrate(env())).notes).toContain('database.ssl.serverName');
    const named = tlsEnv('DATABASE_SSL', 'ca.pem', 'app', 'db.internal');
    expect((await migrate(named)).code).toBe(0);
    // A name that is connected to gives way, too.
    expect((await migrate(named, databaseUrl().replace('127.0.0.1', 'localhost'))).code).toBe(0);
  });

  it('is refused once it has expired', async () => {
    await servePostgresWith(expired);
    expect((await migrate(env())).notes).toMatch(/has expired.*database\.ssl\.caFile/);
    await servePostgresWith(address);
  });
});

describe('Redis that verifies clients', () => {
  const redis: RedisServer[] = [];
  afterEach(async () => {
    for (const server of redis.splice(0)) await server.close();
  });
  const envOf = (port: number) => ({
    DATABASE_URL: databaseUrl('with_redis'),
    ...tlsEnv('DATABASE_SSL', 'ca.pem', 'app'),
    REDIS_URL: `redis://127.0.0.1:${String(port)}`,
  });

  it('is reached with a certificate', async () => {
    redis.push(await startRedis('address'));
    const server = serve({ ...envOf(redis[0]!.port), ...tlsEnv('REDIS_TLS', 'ca.pem', 'app') });
    expect(await runOn(server)).toBe('SUCCEEDED');
  });

  it.each([
    ['without a certificate', 'address', 'ca.pem', undefined, /client certificate: redis\.tls\.certFile/],
    [
      'with an expired certificate',
      'address',
      'ca.pem',
      'late',
      /does not accept the client certificate, redis\.tls\.certFile/,
    ],
    [
      'with one of another authority',
      'address',
      'ca.pem',
      'forged',
      /does not accept the client certificate, redis\.tls\.certFile/,
    ],
    [
      'and another authority is trusted',
      'address',
      'stranger-ca.pem',
      'app',
      /redis\.tls\.caFile does not hold the authority/,
    ],
    ['and its certificate is for another name', 'inside', 'ca.pem', 'app', /redis\.tls\.serverName says which name/],
    ['and its certificate has expired', 'expired', 'ca.pem', 'app', /has expired.*redis\.tls\.caFile/],
  ])('refuses %s, and the log names the key', async (_case, shown, ca, pair, sentence) => {
    redis.push(await startRedis(shown));
    const server = serve({ ...envOf(redis[0]!.port), ...tlsEnv('REDIS_TLS', ca, pair) });
    await server.said(new RegExp(`${sentence.source}.*"msg":"redis connection failed"`));
    if (pair === 'late') await server.said(/redis\.tls\.certFile: the certificate expired at 2021/);
  });

  it('is one of a name that the configuration says', async () => {
    redis.push(await startRedis('inside'));
    const named = tlsEnv('REDIS_TLS', 'ca.pem', 'app', 'db.internal');
    const server = serve({ ...envOf(redis[0]!.port), ...named });
    expect(await runOn(server)).toBe('SUCCEEDED');
  });

  it('stops the start when a file cannot be used', async () => {
    const env = { ...envOf(1), ...tlsEnv('REDIS_TLS', 'ca.pem', 'app') };
    const missing = await serve({ ...env, REDIS_TLS_KEYFILE: at('nowhere.key') }).ended;
    expect([missing.code, missing.notes]).toEqual([
      1,
      expect.stringContaining(`redis.tls.keyFile: the file ${at('nowhere.key')} cannot be read (ENOENT)`),
    ]);
    const other = await serve({ ...env, REDIS_TLS_KEYFILE: at('somebody.key') }).ended;
    expect(other.notes).toContain('redis.tls.keyFile: the key in the file');
    expect(other.notes).toContain('does not belong to the certificate');
  });
});

it('a cluster speaks TLS on every connection, by the names that its nodes announce', async () => {
  const client = { ca: authority.cert, cert: files['app.pem']!, key: files['app.key']! };
  const cluster = await RedisCluster.start({ directives: redisDirectives('address'), client: { tls: client } });
  try {
    const nodes = cluster.seeds.slice(0, 3).map(({ host, port }) => `${host}:${String(port)}`);
    const server = serve({
      DATABASE_URL: databaseUrl('with_cluster'),
      ...tlsEnv('DATABASE_SSL', 'ca.pem', 'app'),
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
});
