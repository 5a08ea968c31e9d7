/** A stock configuration of existing Trama starts a server with Postgres and Redis, which runs a saga. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

const configFile = join(import.meta.dirname, 'existing-trama', 'trama.yaml');
const patience = { timeout: 60_000, interval: 50 };

let postgres: PostgresServer;
let redis: RedisServer;
let server: TramaProcess | undefined;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.create(), RedisServer.start()]);
});
afterAll(async () => {
  server?.child.kill('SIGKILL');
  await server?.ended;
  await redis.close();
  await postgres.remove();
});

it('starts, names what takes the place of each key that is gone, and works', async () => {
  server = startTrama(['serve', '--config', configFile], {
    DATABASE_URL: postgres.url(await postgres.createDatabase()),
    REDIS_URL: `redis://127.0.0.1:${String(redis.port)}`,
  });
  const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
  const started = await fetch(`${url}/workflows/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      definition: {
        name: 'nap',
        version: '1',
        entrypoint: 'nap',
        nodes: [{ kind: 'sleep', id: 'nap', durationMillis: 20 }],
      },
    }),
  });
  const { id } = (await started.json()) as { id: string };
  await vi.waitFor(async () => {
    const { status } = (await (await fetch(`${url}/workflows/${id}`)).json()) as { status: string };
    expect(status).toBe('SUCCEEDED');
  }, patience);

  server.child.kill('SIGTERM');
  const { code, out, notes } = await server.ended;
  expect(code).toBe(0);
  const lines = out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: string; msg: string });
  const ignored = notes.split('\n').filter((line) => line.includes('is a key of existing Trama and is ignored'));
  expect(ignored.map((line) => line.split(' ')[1])).toEqual([
    'runtime.store',
    'runtime.bufferSize',
    'runtime.emptyPollDelayMillis',
    'runtime.timeoutScannerIntervalMillis',
    'sleep',
    'reconciler',
    'rateLimit',
    'http.socketTimeoutMillis',
    'database.pool.definitionCacheMaxSize',
    'database.pool.definitionCacheTtlMillis',
    'database.circuitBreaker',
    'redis.pool',
    'redis.consumer',
    'maintenance.partitionStartOffsetMonths',
  ]);
  // A queue that is new has lost nothing.
  expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  expect(lines.filter(({ msg }) => msg === 'queue filled from the store')).toHaveLength(1);
});
