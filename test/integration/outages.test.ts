/** What an operator sees and reads of an outage: readiness and gauges follow, and the log says it once. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { sampleOf } from '../metrics-text.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

const patience = { timeout: 60_000, interval: 100 };

let postgres: PostgresServer;
let redis: RedisServer;
let database = '';
let worker: Server;
let api: Server;
/** How often a process that only serves the API asks Postgres while nothing happens, per second. Takes its time beside the other tests. */
let questions: Promise<number>;

interface Server {
  readonly url: string;
  readonly process: TramaProcess;
  /** Lines of the log so far whose message is this. */
  readonly said: (message: string) => readonly string[];
}

async function start(env: Readonly<Record<string, string>>): Promise<Server> {
  const started = startTrama(['serve', '--port', '0'], {
    DATABASE_URL: postgres.url(database),
    REDIS_URL: `redis://127.0.0.1:${String(redis.port)}`,
    MAINTENANCE_ENABLED: 'false',
    ...env,
  });
  let out = '';
  started.child.stdout?.on('data', (text: string) => (out += text));
  const [, url = ''] = await started.said(/"url":"([^"]+)".*"msg":"ready"/);
  return {
    url,
    process: started,
    said: (message) => out.split('\n').filter((line) => line.includes(`"msg":"${message}"`)),
  };
}

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.create(), RedisServer.start()]);
  database = await postgres.createDatabase();
  questions = countQuestions();
  questions.catch(() => undefined);
  [worker, api] = await Promise.all([
    start({ REDIS_SHARDING_PODID: 'worker' }),
    start({ REDIS_SHARDING_PODID: 'api', RUNTIME_ENABLED: 'false' }),
  ]);
});
afterAll(async () => {
  await questions.catch(() => undefined);
  for (const { process } of [worker, api]) {
    process.child.kill('SIGKILL');
    await process.ended;
  }
  await redis.close();
  await postgres.remove();
});

/** On servers of its own, which no other test ends. */
async function countQuestions(): Promise<number> {
  // What Postgres does for itself would be counted, too.
  const [store, queue] = await Promise.all([PostgresServer.create({ autovacuum: 'off' }), RedisServer.start()]);
  try {
    const name = await store.createDatabase();
    const env = { DATABASE_URL: store.url(name), REDIS_URL: `redis://127.0.0.1:${String(queue.port)}` };
    const [gone, { process }] = await Promise.all([start(env), start({ ...env, RUNTIME_ENABLED: 'false' })]);
    try {
      gone.process.child.kill('SIGKILL');
      await gone.process.ended;
      const transactions = async (): Promise<number> => {
        const [row] = await store.query(
          `SELECT pg_stat_force_next_flush(), xact_commit + xact_rollback AS n FROM pg_stat_database WHERE datname = '${name}'`,
        );
        return Number(row?.['n']);
      };
      // Sessions that are idle report what they have done within 10 s: that of the start must not be counted.
      await pause(12_000);
      const before = await transactions();
      const begun = performance.now();
      await pause(15_000);
      return ((await transactions()) - before) / ((performance.now() - begun) / 1000);
    } finally {
      process.child.kill('SIGKILL');
      await process.ended;
    }
  } finally {
    await queue.close();
    await store.remove();
  }
}

const readiness = async ({ url }: Server): Promise<string> => {
  const answer = await fetch(`${url}/readyz`);
  return answer.status === 200 ? '' : answer.text();
};
const gauge = async ({ url }: Server, name: string): Promise<number | undefined> =>
  sampleOf(await (await fetch(`${url}/metrics`)).text(), name);

describe('while Postgres is away', () => {
  it.each([
    ['ended', () => postgres.stop('immediate'), () => postgres.start()],
    ['stopped', async () => postgres.signal('SIGSTOP'), async () => postgres.signal('SIGCONT')],
  ] as const)('a process that only serves the API notices without any request: %s', async (_how, stop, resume) => {
    await vi.waitFor(async () => expect(await readiness(api)).toBe(''), patience);
    expect(await gauge(api, 'saga_database_up')).toBe(1);
    await stop();
    try {
      await vi.waitFor(async () => expect(await readiness(api)).toContain('database_unreachable'), patience);
      expect(await gauge(api, 'saga_database_up')).toBe(0);
    } finally {
      await resume();
    }
    await vi.waitFor(async () => expect(await readiness(api)).toBe(''), patience);
    expect(await gauge(api, 'saga_database_up')).toBe(1);
    await vi.waitFor(async () => expect(await readiness(worker)).toBe(''), patience);
  });

  it('the log says so once, and once that it answers again', async () => {
    // An outage is over once there was no failure for a while.
    await vi.waitFor(() => {
      for (const { said } of [api, worker]) expect(said('store answers again').length).toBe(said('store away').length);
    }, patience);
    const before = [api, worker].map(({ said }) => said('store away').length);
    await postgres.stop('immediate');
    await vi.waitFor(async () => {
      for (const server of [api, worker]) expect(await readiness(server)).toContain('database_unreachable');
    }, patience);
    await pause(4_000);
    await postgres.start();
    await vi.waitFor(() => {
      for (const { said } of [api, worker]) expect(said('store answers again').length).toBe(said('store away').length);
    }, patience);
    expect([api, worker].map(({ said }) => said('store away').length)).toEqual(before.map((lines) => lines + 1));
  });
});

it('the log says once that Redis is away, for all that ask it, and once that it answers again', async () => {
  await vi.waitFor(async () => expect(await readiness(worker)).toBe(''), patience);
  expect(worker.said('queue away')).toEqual([]);
  await redis.kill();
  const definition = {
    name: 'x',
    version: '1',
    entrypoint: 'a',
    nodes: [{ kind: 'sleep', id: 'a', durationMillis: 200 }],
  };
  // Direct starts, rings, acknowledgements and claims: all of them fail meanwhile.
  for (let i = 0; i < 20; i++) {
    const answer = await fetch(`${worker.url}/workflows/run`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ definition }),
    });
    expect(answer.status).toBe(200);
    await pause(300);
  }
  expect(worker.said('queue away').length).toBe(1);
  expect(worker.said('queue answers again')).toEqual([]);
  const complaints = worker.said('redis connection failed');
  expect(complaints.length).toBeGreaterThan(0);
  expect(new Set(complaints.map((line) => (JSON.parse(line) as { error: string }).error)).size).toBe(complaints.length);
  await redis.run();
  await vi.waitFor(() => expect(worker.said('queue answers again').length).toBe(1), patience);
  expect(worker.said('queue away').length).toBe(1);
  await vi.waitFor(async () => expect(await readiness(worker)).toBe(''), patience);
});

it('a process that only serves the API asks Postgres at most once a second while nothing happens', async () => {
  const perSecond = await questions;
  expect(perSecond).toBeGreaterThan(0);
  expect(perSecond).toBeLessThanOrEqual(1);
});
