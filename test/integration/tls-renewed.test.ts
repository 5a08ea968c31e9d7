/** A whole server while every certificate around it moves from one authority to another: it is not started again. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { TestAuthority } from '../certificate-maker.ts';
import { type Downstream, startDownstream, startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';
import { patience } from './redis-queues.ts';

const [before, after] = [new TestAuthority('Before'), new TestAuthority('After')];
const patienceMillis = 60_000;

const postgresTls = { ssl: 'on', ssl_ca_file: 'ca.crt' };

let directory: string;
let postgres: PostgresServer;
let redis: RedisServer;
let downstream: Downstream;
let server: TramaProcess | undefined;

const at = (name: string): string => join(directory, name);

/** Replaces a file in one step, as tools that renew certificates do. */
async function put(name: string, text: string): Promise<void> {
  await writeFile(at(`${name}.new`), text);
  await rename(at(`${name}.new`), at(name));
}

/** What this process shows and trusts from now on. */
async function putOwn(authority: TestAuthority): Promise<void> {
  const { cert, key } = authority.issue({ commonName: 'app' });
  await Promise.all([put('app.pem', cert), put('app.key', key), put('ca.pem', authority.cert)]);
}

/** What the servers show and trust. */
async function serversOf(authority: TestAuthority): Promise<Readonly<Record<string, string>>> {
  const { cert, key } = authority.issue({ commonName: 'server', names: ['127.0.0.1'] });
  await Promise.all([put('redis.pem', cert), put('redis.key', key), put('redis-ca.pem', authority.cert)]);
  return { 'ca.crt': authority.cert, 'server.crt': cert, 'server.key': key };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-renewed-'));
  downstream = await startDownstream((_request, response) => response.end('{}'));
  await putOwn(before);
  const files = await serversOf(before);
  postgres = await PostgresServer.create();
  await postgres.query(['CREATE ROLE app LOGIN', 'CREATE DATABASE app OWNER app']);
  await postgres.putFiles({
    ...files,
    'pg_hba.conf': [
      'hostssl all app 127.0.0.1/32 trust clientcert=verify-full',
      'host all app 127.0.0.1/32 reject',
      'host all trama 127.0.0.1/32 trust',
      '',
    ].join('\n'),
  });
  await postgres.restart('fast', postgresTls);
  const [port] = (await freePorts(1)) as [number];
  redis = await RedisServer.start({
    port,
    directives: {
      port: '0',
      'tls-port': String(port),
      'tls-auth-clients': 'yes',
      'tls-ca-cert-file': at('redis-ca.pem'),
      'tls-cert-file': at('redis.pem'),
      'tls-key-file': at('redis.key'),
    },
  });
}, patienceMillis);

afterAll(async () => {
  server?.child.kill('SIGKILL');
  await server?.ended;
  await redis.close();
  await postgres.remove();
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

it(
  'goes on, with new connections to Postgres and Redis',
  async () => {
    const own = (group: string) => ({
      [`${group}_CAFILE`]: at('ca.pem'),
      [`${group}_CERTFILE`]: at('app.pem'),
      [`${group}_KEYFILE`]: at('app.key'),
    });
    server = startTrama(['serve', '--port', '0'], {
      DATABASE_URL: postgres.url('app').replace('trama@', 'app@'),
      REDIS_URL: `rediss://127.0.0.1:${redis.port}`,
      ...own('DATABASE_SSL'),
      ...own('REDIS_TLS'),
    });
    const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
    const run = async (): Promise<unknown> => {
      const steps = [{ name: 'a', up: { url: `${downstream.url}/a`, verb: 'POST' } }];
      const answer = await fetch(`${url}/workflows/run?waitMillis=30000`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ definition: { name: 'hello', version: '1', steps } }),
      });
      return ((await answer.json()) as { status?: unknown }).status;
    };
    expect(await run()).toBe('SUCCEEDED');
    await putOwn(after);
    for (const group of ['database.ssl', 'redis.tls']) {
      await server.said(new RegExp(`"group":"${group}","msg":"renewed certificate files are in use"`));
    }
    await postgres.putFiles(await serversOf(after));
    // Nothing that stood with the earlier certificates is left.
    await postgres.restart('fast', postgresTls);
    await redis.kill();
    await redis.run();
    // Both have to be connected to again before anything is accepted.
    await vi.waitFor(async () => {
      expect(await run()).toBe('SUCCEEDED');
    }, patience);
    const [counts] = await postgres.query(
      `SELECT count(*) FILTER (WHERE s.ssl AND s.issuer_dn LIKE '%After%')::int AS good, count(*)::int AS "all"
       FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'app'`,
    );
    expect(counts?.['all']).toBeGreaterThan(0);
    expect(counts?.['good']).toBe(counts?.['all']);
  },
  patienceMillis,
);
