/** Two installations, and existing Trama, on one Redis: none of them takes what belongs to another. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

const patience = { timeout: 60_000, interval: 50 };

let postgres: PostgresServer;
let redis: RedisServer;
const running: TramaProcess[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.create(), RedisServer.start()]);
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await redis.close();
  await postgres.remove();
});

function serve(database: string, pod: string, more: Readonly<Record<string, string>> = {}): TramaProcess {
  const server = startTrama(['serve', '--port', '0'], {
    DATABASE_URL: postgres.url(database),
    REDIS_URL: `redis://127.0.0.1:${String(redis.port)}`,
    REDIS_SHARDING_PODID: pod,
    REDIS_SHARDING_MEMBERSHIPTTLMILLIS: '3000',
    REDIS_SHARDING_HEARTBEATINTERVALMILLIS: '500',
    MAINTENANCE_ENABLED: 'false',
    ...more,
  });
  running.push(server);
  return server;
}

async function ready(server: TramaProcess): Promise<string> {
  const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
  return url;
}

async function stop(server: TramaProcess): Promise<void> {
  server.child.kill('SIGTERM');
  await server.ended;
}

async function finishesOne(url: string): Promise<void> {
  const definition = {
    name: 'pause',
    version: '1',
    entrypoint: 'a',
    nodes: [{ kind: 'sleep', id: 'a', durationMillis: 50 }],
  };
  const started = await fetch(`${url}/workflows/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition, payload: {} }),
  });
  const { id } = (await started.json()) as { id: string };
  await vi.waitFor(async () => {
    const { status } = (await (await fetch(`${url}/workflows/${id}`)).json()) as { status: string };
    expect(status).toBe('SUCCEEDED');
  }, patience);
}

describe('two stores under the same keys of one Redis', () => {
  it.each([
    ['works', {}],
    ['only serves the API', { RUNTIME_ENABLED: 'false' }],
  ])('the second is refused at its start, with what to do: one that %s', async (_what, more) => {
    const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
    const first = serve(one, 'one');
    const url = await ready(first);
    const { code, notes } = await serve(two, 'two', more).ended;
    expect(code).toBe(1);
    expect(notes).toContain('each installation needs its own redis.queue.keyPrefix');
    await finishesOne(url);
    await stop(first);
    // No process has them now.
    const second = serve(two, 'two');
    await finishesOne(await ready(second));
    await stop(second);
  });

  it('the second works beside the first with a prefix and a membership key of its own', async () => {
    const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
    const servers = [
      serve(one, 'one'),
      serve(two, 'two', { REDIS_QUEUE_KEYPREFIX: 'second', REDIS_SHARDING_MEMBERSHIPKEY: 'second:pods' }),
    ];
    for (const server of servers) await finishesOne(await ready(server));
    await Promise.all(servers.map(stop));
  });

  it('the one that started while Redis was away works on nothing, and says so', async () => {
    const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
    const first = serve(one, 'one');
    const firstUrl = await ready(first);
    redis.pause();
    const second = serve(two, 'two', { REDIS_COMMANDTIMEOUTMILLIS: '300' });
    const secondUrl = await ready(second);
    redis.resume();
    await second.said(/processes of another store use the same keys/);
    const readiness = await fetch(`${secondUrl}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.text()).toContain('membership_stale');
    await finishesOne(firstUrl);
    await Promise.all([stop(first), stop(second)]);
  });
});

it('a member that says nothing of itself, as those of existing Trama, is said', async () => {
  const server = serve(await postgres.createDatabase(), 'one');
  const url = await ready(server);
  // It stores when it expires as the score.
  await redis.admin.zadd('trama:pods', Date.now() + 3_600_000, 'old-pod-0');
  await server.said(/redis.sharding.membershipKey is also used by another product or version/);
  await finishesOne(url);
  await stop(server);
});
