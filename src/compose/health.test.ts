import { afterEach, beforeEach, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../test/runtime-fixture.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { ShardQueueServer } from '../../simulator/queue/shard-queue-server.ts';
import { MemoryQueueHub } from '../queue/memory/memory-queue.ts';
import type { ClusterSource } from '../app/queries/cluster-source.ts';
import { Gatekeeper } from '../engine/call/gate/gatekeeper.ts';
import type { Engine } from '../engine/engine.ts';
import type { MemberLoad } from '../engine/queue/sharding/member-info.ts';
import { ShardCount } from '../engine/queue/sharding/shard-count.ts';
import { ShardedQueue } from '../engine/queue/sharding/sharded-queue.ts';
import { defaultEngineSettings } from '../engine/settings.ts';
import { clusterReadings, createClusterSource, gateReadings, loadOf } from './health.ts';

let fixture: RuntimeFixture;
beforeEach(async () => {
  fixture = new RuntimeFixture();
  await fixture.store.open();
});
afterEach(() => fixture.close());

function configOf(podId: string): Config {
  const loaded = loadConfig({ env: { REDIS_SHARDING_PODID: podId }, flags: [] });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.config;
}

function gateOf(): Gatekeeper {
  const { clock, entropy, telemetry, store } = fixture;
  const circuits = { failureThreshold: 1, openMillis: 10_000 };
  const parts = { clock, entropy, telemetry, store, circuits, maxConcurrency: 9, workerCount: 18, overrides: {} };
  return new Gatekeeper({ ...parts, mask: (text) => text.replaceAll('tenant-key', '***') });
}

it('tells of every process of a shared queue, also of circuits that are open elsewhere', async () => {
  const server = new ShardQueueServer(fixture.clock);
  const { clock, entropy, telemetry, store } = fixture;
  const pod = async (
    podId: string,
    works: boolean,
  ): Promise<{ engine: Engine; source: ClusterSource; queue: ShardedQueue }> => {
    const gate = gateOf();
    fixture.gate = gate;
    const running: { engine?: Engine } = {};
    const load = (): MemberLoad => loadOf(gate, works, running.engine?.load());
    const queue = new ShardedQueue({
      clock,
      entropy,
      telemetry,
      podId,
      works,
      count: new ShardCount({ store, telemetry, wants: 64 }),
      server: server.connect(),
      version: '1.0.0',
      ttlMillis: 10_000,
      beatMillis: 2_000,
      sweepMillis: 5_000,
      leaseMillis: 10_000,
      claimers: 4,
      load: () => load(),
    });
    const engine = await fixture.engine({ workerCount: 18 }, works, () => queue);
    running.engine = engine;
    const choice = { queue, cluster: queue };
    const more = { version: '1.0.0', load, policy: () => 'noeviction' };
    return {
      engine,
      queue,
      source: createClusterSource({
        store: { ping: () => Promise.resolve(0) },
        config: configOf(podId),
        choice,
        gate,
        ...more,
      }),
    };
  };
  const api = await pod('api', false);
  const worker = await pod('worker', true);
  await fixture.clock.advance(3_000);
  fixture.http.reply = () => ({ status: 500 });
  await fixture.submit(api.engine, chain('a'));
  await fixture.clock.advance(5_000);
  const expected = [
    { id: 'api', version: '1.0.0', works: false, ownedShards: 0, busyWorkers: 0, openCircuits: [] },
    { id: 'worker', version: '1.0.0', works: true, ownedShards: 64, busyWorkers: 0, openCircuits: ['http://mock:80'] },
  ];
  for (const { source } of [api, worker]) {
    const pods = source.pods().toSorted((a, b) => a.id.localeCompare(b.id));
    expect(pods).toMatchObject(expected);
    expect(source.shards).toBe(64);
    expect(pods.map(({ maxInHandBytes }) => maxInHandBytes)).toEqual(
      pods.map(() => defaultEngineSettings.maxInHandBytes),
    );
    expect(source.redis?.()).toMatchObject({ maxmemoryPolicy: 'noeviction' });
    expect(await source.queueSize()).toEqual({ ready: 0, inFlight: 0 });
  }
  // Calls without an answer, to a host with nine places, as the other process sees them.
  fixture.http.reply = () => 'hold';
  const silent = graph([task('a', { action: { request: { url: 'http://silent/a', verb: 'POST' } } })]);
  for (let i = 0; i < 11; i++) await fixture.submit(api.engine, silent);
  await fixture.clock.advance(5_000);
  for (const { source } of [api, worker]) {
    expect(source.pods().find(({ works }) => works)).toMatchObject({
      busyWorkers: 9,
      places: { calling: 9, host: 0, loading: 0, store: 0, other: 0, free: 9 },
      fullHosts: [{ host: 'http://silent:80', calls: 9, waiting: 2 }],
    });
    expect(source.pods().find(({ works }) => !works)).toMatchObject({ busyWorkers: 0, places: null, fullHosts: [] });
  }
  expect(clusterReadings(worker.queue, 'allkeys-lru')).toMatchObject({
    activePods: 1,
    ownedShards: 64,
    isPolicyUnsafe: true,
  });
});

it('tells of this process alone where it shares nothing', async () => {
  const gate = gateOf();
  const queue = new MemoryQueueHub(fixture.clock).connect('p');
  const parts = {
    version: '1.2.3',
    load: () => ({ busy: 5, bytes: 6_000, maxBytes: 7_000 }),
    policy: () => undefined,
    choice: { queue },
    gate,
  };
  const source = createClusterSource({ store: { ping: () => Promise.resolve(0) }, config: configOf('me'), ...parts });
  expect(source.pods()).toMatchObject([
    {
      id: 'me',
      version: '1.2.3',
      works: true,
      busyWorkers: 5,
      inHandBytes: 6_000,
      maxInHandBytes: 7_000,
      places: null,
      openCircuits: [],
      fullHosts: [],
    },
  ]);
  expect('redis' in source).toBe(false);
});

it('shows no secret that is part of a host', async () => {
  const gate = gateOf();
  fixture.gate = gate;
  await fixture.engine();
  const call = { tokenId: 1, executionId: 'e', name: 'n', version: '1', url: 'http://tenant-key.example/x' };
  const pass = gate.enter(call);
  if (pass.kind !== 'open') throw new Error('It was to go out.');
  pass.done('failed');
  expect(gate.enter(call)).toMatchObject({ kind: 'blocked', detail: 'circuit of http://***.example:80 open' });
  expect(gateReadings(gate)).toEqual({
    circuits: new Map([['http://***.example:80', true]]),
    holds: 0,
    blocked: { hold: 0, circuit: 1, slots: 0 },
  });
});
