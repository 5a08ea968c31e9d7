/** A server that starts before its database, or before its Redis: it says at once what it lacks, and goes on when that is there. */
import { afterEach, beforeAll, afterAll, expect, it, vi } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

const patience = { timeout: 60_000, interval: 100 };

let postgres: PostgresServer;
let server: TramaProcess;

beforeAll(async () => {
  postgres = await PostgresServer.create();
});
afterEach(async () => {
  server.child.kill('SIGKILL');
  await server.ended;
});
afterAll(() => postgres.remove());

/** The first line of the log with this message. */
async function lineOf(message: string): Promise<Record<string, unknown>> {
  const [line] = await server.said(new RegExp(`^.*"msg":"${message}".*$`, 'm'));
  return JSON.parse(line) as Record<string, unknown>;
}

it('waits for Postgres', async () => {
  const database = await postgres.createDatabase();
  await postgres.stop('fast');
  server = startTrama(['serve', '--port', '0'], { DATABASE_URL: postgres.url(database) });
  expect(await lineOf('the store is away, waiting for it')).toMatchObject({
    level: 'warn',
    store: `postgres://127.0.0.1:${String(postgres.port)}/${database}`,
    error: expect.stringContaining('ECONNREFUSED'),
  });
  await postgres.start();
  expect(await lineOf('the store answers')).toMatchObject({ level: 'info', millis: expect.any(Number) });
  await server.said(/"msg":"ready"/);
});

it('goes on without Redis, unready, until that is there', async () => {
  const database = await postgres.createDatabase();
  const [port] = (await freePorts(1)) as [number];
  server = startTrama(['serve', '--port', '0'], {
    DATABASE_URL: postgres.url(database),
    REDIS_URL: `redis://:s3cret@127.0.0.1:${String(port)}`,
  });
  expect(await lineOf('redis connection failed')).toMatchObject({
    level: 'warn',
    redis: `127.0.0.1:${String(port)}`,
    error: expect.stringContaining('ECONNREFUSED'),
  });
  const { url } = await lineOf('ready');
  const readiness = async (): Promise<string> => {
    const answer = await fetch(`${String(url)}/readyz`);
    return answer.status === 200 ? '' : answer.text();
  };
  expect(await readiness()).toContain('redis_unreachable');
  const redis = await RedisServer.start({
    port,
    directives: { requirepass: 's3cret' },
    client: { password: 's3cret' },
  });
  try {
    await vi.waitFor(async () => expect(await readiness()).toBe(''), patience);
    expect(server.hasSaid('s3cret')).toBe(false);
  } finally {
    await redis.close();
  }
});
