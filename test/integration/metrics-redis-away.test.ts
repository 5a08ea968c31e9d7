/** What an operator sees of a process while Redis is away: more than ever is wanted then. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

let postgres: PostgresServer;
let redis: RedisServer;
let server: TramaProcess;
let url = '';

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.create(), RedisServer.start()]);
  const database = await postgres.createDatabase();
  server = startTrama(['serve', '--port', '0'], {
    DATABASE_URL: postgres.url(database),
    REDIS_URL: `redis://127.0.0.1:${String(redis.port)}`,
  });
  url = (await server.said(/"url":"([^"]+)".*"msg":"ready"/))[1] ?? '';
});
afterAll(async () => {
  server.child.kill('SIGKILL');
  await server.ended;
  await redis.close();
  await postgres.remove();
});

/** The values of a series, by its labels; empty when it is absent. */
async function series(name: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').flatMap((line) => {
    const [, labels = '', value] = new RegExp(`^${name}(\\{[^}]*\\})? (\\S+)$`).exec(line) ?? [];
    return value === undefined ? [] : [[labels, Number(value)] as const];
  });
  return new Map(lines);
}

const patience = { timeout: 60_000, interval: 200 };

it('the age of the membership grows, and the gauges of the store stay', async () => {
  await vi.waitFor(async () => expect((await series('saga_redis_owned_shards')).get('')).toBe(64), patience);
  expect((await series('saga_inmemory_queue_size')).get('')).toBe(0);
  await redis.kill();
  await vi.waitFor(async () => {
    expect((await series('saga_redis_membership_refresh_age_ms')).get('')).toBeGreaterThan(4_000);
  }, patience);
  expect((await series('saga_executions')).get('{status="CORRUPTED"}')).toBe(0);
  expect((await series('saga_queue_oldest_due_age_seconds')).get('')).toBe(0);
  // No pod can count what is in Redis now.
  expect((await series('saga_inmemory_queue_size')).size).toBe(0);
});
