/** Names, numbers of shards and queues that must agree between processes. */
import { expect, it } from 'vitest';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import type { Pod } from './pod.ts';

const stage = openClusterStage({ redis: 'standalone', env: shortTimes });

async function shardsOf(pod: Pod): Promise<{ readonly all: number; readonly own: number }> {
  const { text } = await pod.ask('GET', '/metrics');
  const gauge = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
  return { all: gauge('saga_redis_shards'), own: gauge('saga_redis_owned_shards') };
}

it('refuses to start a worker whose queue is another than that of the store', async () => {
  await stage.start('a');
  const stranger = await stage.pod('stranger', { REDIS_QUEUE_KEYPREFIX: 'others' });
  const { code, out, notes } = await stranger.launch().ended;
  expect(code).not.toBe(0);
  expect(out + notes).toContain('use another queue');
});

it('notices two living processes with one name, and nothing else', async () => {
  const [first] = await stage.start('a');
  const double = await stage.pod('double', { REDIS_SHARDING_PODID: 'a' });
  await double.start();
  await until(async () => (await first!.unready()).includes('pod_id_conflict'));
  await until(async () => (await double.unready()).includes('pod_id_conflict'));
  expect(await first!.unready('api')).toBe('');
  const load = new Load(stage);
  await load.begin(4);
  await load.passes(20);
  expect(await load.problems()).toEqual([]);
  await double.stop();
  await until(async () => (await first!.unready()) === '');
});

it('changes the number of shards by a rolling restart without losing or stranding anything', async () => {
  const pods = await stage.start('a', 'b');
  expect((await shardsOf(pods[0]!)).all).toBe(64);
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  for (const pod of pods) {
    expect((await pod.stop()).code).toBe(0);
    await load.eased(() => pod.start({ REDIS_SHARDING_VIRTUALSHARDCOUNT: '96' }));
  }
  await until(async () => {
    const [one, two] = await Promise.all(pods.map((pod) => shardsOf(pod)));
    return one!.all === 96 && two!.all === 96 && one!.own + two!.own === 96;
  });
  await load.passes(40);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
  await expect.poll(() => stage.redis.admin.keys('*vs-64-*'), { timeout: 15_000 }).toEqual([]);
});
