import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture } from '../../../test/api-fixture.ts';
import { block } from '../../../test/blocked-run.ts';
import type { PodView } from '../../app/queries/cluster-source.ts';

const pod = (id: string, openCircuits: readonly string[] = []): PodView => ({
  id,
  version: '1.2.3',
  works: true,
  heartbeatAgeMillis: 12.4,
  ownedShards: 32,
  busyWorkers: 3,
  places: { calling: 2, host: 1, loading: 0, store: 0, other: 0, free: 1 },
  openCircuits,
  fullHosts: [{ host: 'http://bank:80', calls: 2, waiting: 7 }],
});

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const ask = async (): Promise<AnswerBody> => (await api.server.inject('/cluster')).json();

it('shows the pods, the queue, what is held and which circuits are open where', async () => {
  api.cluster = {
    shards: 64,
    pods: () => [pod('a', ['http://bank:80', 'http://x:1']), pod('b', ['http://bank:80'])],
    queueSize: () => Promise.resolve({ ready: 4, inFlight: 2 }),
    oldestDueAt: () => undefined,
    circuits: () => [
      { host: 'http://bank:80', isOpen: true, waitMillis: 1_500.3 },
      { host: 'http://x:1', isOpen: true },
    ],
    redis: () => ({ maxmemoryPolicy: 'allkeys-lru', membershipAgeMillis: 100.2 }),
  };
  await api.server.inject({ method: 'PUT', url: '/holds/h', payload: { host: 'bank', reason: 'down' } });
  expect(await ask()).toEqual({
    pods: [
      { ...pod('a', ['http://bank:80', 'http://x:1']), heartbeatAgeMillis: 12, workerCount: 4 },
      { ...pod('b', ['http://bank:80']), heartbeatAgeMillis: 12, workerCount: 4 },
    ],
    shards: 64,
    queue: { ready: 4, inFlight: 2, oldestDueAgeMillis: null },
    openCircuits: [
      { host: 'http://bank:80', pods: ['a', 'b'], nextProbeMillis: 1500 },
      { host: 'http://x:1', pods: ['a'] },
    ],
    holds: [{ id: 'h', host: 'bank', reason: 'down', createdAt: '2030-01-01T00:00:00.000Z', waiting: 0 }],
    blocked: [],
    stuck: 0,
    countExact: true,
    database: { driver: 'sqlite', ok: true, latencyMs: 1, readOnly: false },
    redis: { maxmemoryPolicy: 'allkeys-lru', isSafe: false, membershipAgeMillis: 100 },
  });
});

it('answers while the queue cannot', async () => {
  api.cluster = {
    shards: 1,
    pods: () => [pod('a')],
    queueSize: () => Promise.reject(new Error('Redis is away.')),
    oldestDueAt: () => undefined,
    circuits: () => [],
    redis: () => ({ membershipAgeMillis: Infinity }),
  };
  expect(await ask()).toMatchObject({
    queue: null,
    openCircuits: [],
    redis: { maxmemoryPolicy: null, isSafe: null, membershipAgeMillis: null },
  });
});

it('tells what executions of all pods wait for, and which are stuck', async () => {
  const call = { url: 'http://shop.example/x', verb: 'POST' };
  const failureHandling = { type: 'retry', maxAttempts: 5, delayMillis: 600_000 };
  const definition = { name: 'order', version: '1', failureHandling, steps: [{ name: 'pay', up: call }] };
  const [blocked, held] = [await api.run(definition), await api.run(definition)];
  await block(api, blocked, { cause: 'circuit', host: 'shop.example:80' });
  await block(api, held, { cause: 'hold', holdId: 'h', host: 'shop.example:80' });
  await api.run(definition);
  api.now += 125_000;
  api.cluster = {
    ...api.cluster,
    circuits: () => [{ host: 'http://shop.example:80', isOpen: true, waitMillis: 1_500.3 }],
  };
  await api.server.inject({ method: 'PUT', url: '/holds/h', payload: { host: 'shop.example', reason: 'down' } });
  const { blocked: told, stuck, holds, countExact } = await ask();
  expect(told).toContainEqual({ host: 'shop.example:80', cause: 'circuit', count: 1, nextProbeMillis: 1500 });
  expect(told).toContainEqual({ host: 'shop.example:80', cause: 'hold', count: 1 });
  expect([stuck, holds[0].waiting, countExact]).toEqual([3, 1, true]);
  expect((await api.server.inject('/holds')).json()).toMatchObject([{ id: 'h', waiting: 1 }]);
});
