/** The one Redis dies, comes back empty, is wiped and is away, under load. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openClusterStage, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import { report } from './report.ts';

// The default times: nothing below may depend on short ones.
const stage = openClusterStage({ redis: 'standalone' });
/** Within how long after Redis serves again everything goes on (`TARGETS`: 5 s), and what a busy machine may add. */
const recoveryMillis = 5_000 + 5_000;

it('goes on within seconds after Redis was killed and came back empty', async () => {
  await stage.start('a', 'b', 'c');
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  await stage.redis.kill();
  await stage.redis.run();
  const since = Date.now();
  await load.recovered(since);
  expect(report('Redis killed and restarted empty', load, since)).toBeLessThan(recoveryMillis);
  await load.passes(40);
  // No worker had a fault: not one call may have come twice.
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('goes on within seconds after FLUSHALL', async () => {
  await stage.start('a', 'b', 'c');
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  await stage.redis.admin.flushall();
  const since = Date.now();
  await load.recovered(since);
  expect(report('FLUSHALL', load, since)).toBeLessThan(recoveryMillis);
  await load.passes(40);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('accepts runs, callbacks and cancels while Redis is away, and says so', async () => {
  const [pod, other] = await stage.start('a', 'b', 'c');
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  const parked = await load.park(pod!);
  const cancelled = await load.park(other!);
  await stage.redis.kill();
  await until(async () => (await pod!.unready()).includes('redis_unreachable'));
  expect(await pod!.unready('api')).toBe('');
  const late = await load.park(other!);
  expect(await load.answer(parked)).toBe(202);
  expect((await pod!.ask('POST', `/workflows/${cancelled}/cancel`)).status).toBe(202);
  await pause(2_000);
  await stage.redis.run();
  const since = Date.now();
  await load.recovered(since);
  expect(report('Redis away for some seconds', load, since)).toBeLessThan(recoveryMillis);
  await until(async () => (await load.answer(late)) === 202);
  const expected = { [parked]: 'SUCCEEDED', [cancelled]: 'CANCELLED', [late]: 'SUCCEEDED' };
  for (const [id, status] of Object.entries(expected)) {
    await until(async () => (await pod!.ask('GET', `/workflows/${id}`)).body.status === status);
  }
  await until(async () => (await pod!.unready()) === '');
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});
