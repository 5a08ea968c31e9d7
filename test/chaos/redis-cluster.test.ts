/** Four workers on a Redis Cluster of six nodes: a primary dies under load, and slots move while claims run. */
import { expect, it } from 'vitest';
import { slotOfKey } from '../../src/queue/redis/cluster-slot.ts';
import { openClusterStage, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import { print, report } from './report.ts';

const stage = openClusterStage({ redis: 'cluster' });
const recoveryMillis = 5_000 + 5_000;
const pods = ['a', 'b', 'c', 'd'] as const;

it('goes on after a primary was killed, the one that has the members', async () => {
  await stage.start(...pods);
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  const slot = slotOfKey('saga:runtime:pods');
  const primary = await stage.cluster.primaryOf(slot);
  const [replica] = await stage.cluster.replicasOf(primary);
  await primary.kill();
  await until(async () => (await replica!.admin.info('replication')).includes('role:master'));
  const since = Date.now();
  await load.recovered(since);
  expect(report('primary killed, replica promoted', load, since)).toBeLessThan(recoveryMillis);
  await load.passes(40);
  // Workers and downstream were well all the time: not one call may have come twice.
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await primary.run();
  await stage.cluster.settled();
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('goes on at the other primaries while one hangs that nobody replaces', async () => {
  await stage.start(...pods);
  const load = new Load(stage);
  await load.begin(24);
  await load.passes(40);
  const members = await stage.cluster.primaryOf(slotOfKey('saga:runtime:pods'));
  const primaries = await Promise.all([0, 6_000, 12_000].map((slot) => stage.cluster.primaryOf(slot)));
  const victim = primaries.find((primary) => primary !== members)!;
  const hung = [...(await stage.cluster.replicasOf(victim)), victim];
  const before = load.durations(0, Date.now());
  const from = Date.now();
  for (const server of hung) server.pause();
  try {
    // Long enough for the leases of all that were claimed before.
    await load.passes(200);
    await until(() => Date.now() - from > 12_000);
  } finally {
    for (const server of hung) server.resume();
  }
  const since = Date.now();
  const { p50, p99, most } = load.durations(from + 1_000, since - 1_000);
  print(`hung primary: p50 ${String(p50)}, p99 ${String(p99)}, most ${String(most)} ms; before p99 ${String(before.p99)}`);
  await load.recovered(since);
  report('hung primary goes on', load, since);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await stage.cluster.settled();
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('goes on while slots with claims move to another node', async () => {
  await stage.start(...pods);
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  const shards = Array.from({ length: 64 }, (_, index) =>
    slotOfKey(`{saga:executions:vs-64-${String(index).padStart(4, '0')}}`),
  );
  const target = await stage.cluster.primaryOf(shards[0]!);
  const since = Date.now();
  await stage.cluster.moveSlots(shards.slice(0, 32), target);
  await load.recovered(since);
  report('slots moved', load, since);
  await load.passes(40);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await stage.cluster.settled();
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});
