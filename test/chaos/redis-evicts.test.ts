/**
 * A Redis that loses single keys again and again, by eviction or for no reason, while healthy pods wait for slow calls: no run may
 * pay for it, and no call may come twice. `TRAMA_CHAOS_ROUNDS`: how often memory is short; keys are lost for as many times 8 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type ClusterStage, type OnFinished, openTwoStages } from './cluster-stage.ts';
import { Load } from './load.ts';
import { print, report } from './report.ts';

// The default times, and room for all calls at once.
const [evicting, losing] = openTwoStages({ redis: 'standalone' });
const rounds = Number(process.env['TRAMA_CHAOS_ROUNDS'] ?? 1);
const clients = 30;
/** Nothing fails downstream, and each call is under way for long. */
const slow = { kinds: ['chain', 'asking', 'parallel'], callMillis: [1_000, 2_000] } as const;
/** A chain of four calls, undisturbed. */
const normalMillis = 8_000;
/** Within how long after memory suffices everything goes on, and what a busy machine may add. */
const recoveryMillis = 5_000 + 5_000;
const shortFor = { least: 4_000, most: 9_000 };
/** Few large values, so that what is evicted is mostly not theirs. */
const junk = { bytes: 64 * 1024, roomBytes: 1024 * 1024, eachMillis: 10 };
const lostMillis = 8_000;
const lostEachMillis = 400;
const lostShare = 0.5;

/** So much other data that there is no room for everything, for so long. */
async function evict({ redis: { admin } }: ClusterStage, millis: number): Promise<void> {
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await admin.config('SET', 'maxmemory', used + junk.roomBytes);
  const value = 'x'.repeat(junk.bytes);
  const names = new Set<string>();
  for (const since = performance.now(); performance.now() - since < millis; await pause(junk.eachMillis)) {
    const name = `junk:${String(names.size)}`;
    names.add(name);
    await admin.set(name, value);
  }
  await admin.config('SET', 'maxmemory', 0);
  await admin.del(...names);
}

async function evictedKeys({ redis }: ClusterStage): Promise<number> {
  return Number(/evicted_keys:(\d+)/.exec(await redis.admin.info('stats'))?.[1]);
}

async function begin(stage: ClusterStage, finished: OnFinished): Promise<Load> {
  await stage.start('a', 'b', 'c');
  const load = new Load(stage, slow);
  await load.begin(clients, finished);
  await load.passes(clients);
  return load;
}

// Calls take seconds, so that both run beside each other.
it.concurrent('ends everything well, without a repeated call, while keys are evicted', async ({ onTestFinished }) => {
  const stage = evicting;
  const load = await begin(stage, onTestFinished);
  onTestFinished(async () => {
    await stage.redis.admin.config('SET', 'maxmemory', 0);
  });
  for (let round = 0; round < rounds; round++) {
    const before = await evictedKeys(stage);
    await evict(stage, shortFor.least + Math.random() * (shortFor.most - shortFor.least));
    const since = Date.now();
    await load.recovered(since);
    const recovered = report(`${String((await evictedKeys(stage)) - before)} keys evicted`, load, since);
    expect(recovered).toBeLessThan(normalMillis + recoveryMillis);
  }
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
});

it.concurrent('ends everything well, without a repeated call, while keys are lost', async ({ onTestFinished }) => {
  const load = await begin(losing, onTestFinished);
  const { admin } = losing.redis;
  let lost = 0;
  for (const from = performance.now(); performance.now() - from < lostMillis * rounds; await pause(lostEachMillis)) {
    const keys = (await admin.keys('*trama:*')).filter(() => Math.random() < lostShare);
    if (keys.length > 0) lost += await admin.del(...keys);
  }
  const since = Date.now();
  await load.recovered(since);
  expect(report(`${String(lost)} keys lost`, load, since)).toBeLessThan(normalMillis + recoveryMillis);
  print(`${String(load.count)} runs ended`);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
});
