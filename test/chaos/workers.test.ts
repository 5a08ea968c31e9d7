/** Worker processes die, hang, come, go and are replaced under load, on Postgres and one Redis. */
import { expect, it } from 'vitest';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import { print, report } from './report.ts';

const stage = openClusterStage({ redis: 'standalone', env: shortTimes });
const leaseMillis = 3_000;
/** What a busy machine may add to any recovery. */
const slackMillis = 5_000;

it('goes on with what a killed worker had in hand, within a lease', async () => {
  const [victim] = await stage.start('a', 'b', 'c', 'd');
  const load = new Load(stage);
  await load.begin();
  await load.passes(50);
  const since = Date.now();
  await load.fault(victim!, () => victim!.kill());
  await load.recovered(since);
  expect(report('killed worker', load, since)).toBeLessThan(leaseMillis + slackMillis);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('lets a worker that was paused past its lease change nothing and make no call afterwards', async () => {
  const [victim] = await stage.start('a', 'b', 'c', 'd');
  const load = new Load(stage);
  await load.begin();
  await load.passes(50);
  // A client that it has told nothing yet then asks another pod, which may answer before the first one. Such a client learns of the end by that
  // request, so its patience is part of what is measured.
  const patienceMillis = leaseMillis + 2_000;
  victim!.answersWithinMillis = patienceMillis;
  const since = Date.now();
  await load.fault(victim!, async () => {
    victim!.freeze();
    await load.recovered(since);
    await until(() => Date.now() - since > leaseMillis + 1_000);
    victim!.thaw();
  });
  expect(report('paused worker', load, since)).toBeLessThan(patienceMillis + leaseMillis + slackMillis);
  await load.passes(50);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await until(async () => (await victim!.unready()) === '');
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('replaces all workers one after the other without repeating a call', async () => {
  const pods = await stage.start('a', 'b', 'c');
  const load = new Load(stage);
  await load.begin();
  await load.passes(50);
  const from = Date.now();
  for (const pod of pods) {
    const { code } = await pod.stop();
    expect(code).toBe(0);
    await pod.start();
  }
  await load.passes(50);
  const { p99 } = load.durations(from, Date.now());
  print(`rolling restart: p99 ${String(p99)} ms, before ${String(load.durations(0, from).p99)} ms`);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});

it('takes in further workers and lets them go, and serves through a process that works on nothing', async () => {
  await stage.start('a', 'b');
  const load = new Load(stage);
  await load.begin();
  const api = await stage.pod('api', { RUNTIME_ENABLED: 'false' });
  await load.eased(() => api.start());
  expect(await api.unready()).toBe('');
  const [more] = await load.eased(() => stage.start('e'));
  await until(async () => {
    const metrics = (await more!.ask('GET', '/metrics')).text;
    return Number(/^saga_redis_owned_shards (\d+)/m.exec(metrics)?.[1]) > 0;
  });
  await load.passes(50);
  expect((await more!.stop()).code).toBe(0);
  expect((await api.stop()).code).toBe(0);
  await load.passes(50);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  // What a process that works on nothing accepts is run by the others.
  expect(load.calledBy('api')).toBe(0);
  expect(load.calledBy('e')).toBeGreaterThan(0);
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});
