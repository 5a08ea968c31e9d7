/** Four workers on a Redis Cluster of six nodes: a primary dies under load, and slots move while claims run. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
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
  const slot = slotOfKey('trama:pods');
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

it('goes on at the other primaries while one hangs and has no replica', async () => {
  await stage.start(...pods);
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  const before = load.durations(0, Date.now());
  const members = await stage.cluster.primaryOf(slotOfKey('trama:pods'));
  const primaries = await Promise.all([0, 6_000, 12_000].map((slot) => stage.cluster.primaryOf(slot)));
  const victim = primaries.find((primary) => primary !== members)!;
  const hung = [...(await stage.cluster.replicasOf(victim)), victim];
  const resume = (): void => {
    for (const server of hung) server.resume();
  };
  onTestFinished(resume);
  const from = Date.now();
  for (const server of hung) server.pause();
  // Longer than a lease: what was claimed at the other primaries must still be theirs.
  const passed = load.count;
  await pause(12_000);
  const since = Date.now();
  const { p50, p99 } = load.durations(from + 1_000, since);
  const ended = load.count - passed;
  print(
    `one primary hung for 12 s: ${String(ended)} ended meanwhile, those begun then: p50 ${String(p50)} ms, p99 ${String(p99)} ms; before: p50 ${String(before.p50)} ms, p99 ${String(before.p99)} ms`,
  );
  expect(ended).toBeGreaterThan(0);
  resume();
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
    slotOfKey(`{trama:executions:vs-64-${String(index).padStart(4, '0')}}`),
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
