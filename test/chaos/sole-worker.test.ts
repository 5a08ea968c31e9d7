/** Postgres without Redis: one process works, the next waits and takes over. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openClusterStage, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import type { Pod } from './pod.ts';
import { print, report } from './report.ts';

const stage = openClusterStage({ redis: 'none' });
/** Within how long the next process has the lock (wanted: 100 ms), and makes its first call, on a busy machine. */
const handover = { lockMillis: 1_000, callMillis: 1_500 };
/** `TRAMA_CHAOS_ROUNDS`: how many times as many. `postgres-restarts.test.ts` restarts Postgres twenty times. */
const rounds = Number(process.env['TRAMA_CHAOS_ROUNDS'] ?? 1);
const [restarts, postgresRestarts] = [4 * rounds, 2 * rounds];

/** When a process logged a line first, of `Date.now()`. */
async function saidAt(pod: Pod, message: string): Promise<number> {
  const [, time = ''] = await pod.process.said(new RegExp(`"time":"([^"]+)"[^\\n]*"msg":"${message}`));
  return Date.parse(time);
}

const works = 'this process works on the store';
const waits = 'another process works on this store';

it('has one worker, and another one as soon as that is gone', async () => {
  const [first] = await stage.start('a');
  await saidAt(first!, works);
  const second = await stage.pod('b');
  await second.start();
  await saidAt(second, waits);
  const load = new Load(stage);
  await load.begin(8);
  await load.passes(40);
  expect(load.calledBy('b')).toBe(0);
  const since = Date.now();
  await load.fault(first!, () => first!.kill());
  await saidAt(second, works);
  await load.recovered(since);
  report('sole worker killed', load, since);
  await load.passes(20);
  expect(load.calledBy('b')).toBeGreaterThan(0);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
});

it('hands the work over at once when the worker is restarted in order', async () => {
  let [leaving, next] = [await stage.pod('a'), await stage.pod('b')];
  await stage.start('a', 'b');
  await until(() => leaving.process.hasSaid(works) || next.process.hasSaid(works));
  if (!leaving.process.hasSaid(works)) [leaving, next] = [next, leaving];
  const load = new Load(stage);
  await load.begin(8);
  const gaps: { readonly lockMillis: number; readonly callMillis: number }[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    await load.passes(20);
    // At any moment of what the next one does by the clock.
    await pause(Math.random() * 2_000);
    const ended = leaving.stop();
    const hasLock = await saidAt(next, works);
    expect((await ended).code).toBe(0);
    const released = await saidAt(leaving, 'stopped');
    await load.passes(8);
    const last = Math.max(...load.callTimes(leaving.podId));
    const first = Math.min(...load.callTimes(next.podId).filter((at) => at > last));
    const [lockMillis, callMillis] = [hasLock - released, Math.round(first - last)];
    print(`orderly restart: the lock ${String(lockMillis)} ms after its release, no call for ${String(callMillis)} ms`);
    gaps.push({ lockMillis, callMillis });
    const back = leaving;
    await load.eased(() => back.start());
    [leaving, next] = [next, leaving];
  }
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  expect(Math.max(...gaps.map(({ lockMillis }) => lockMillis))).toBeLessThan(handover.lockMillis);
  expect(Math.max(...gaps.map(({ callMillis }) => callMillis))).toBeLessThan(handover.callMillis);
});

it('leaves the work to the worker that lives when Postgres is restarted', async () => {
  const pods = await stage.start('a', 'b');
  const processes = pods.map(({ process: { child } }) => child.pid);
  const load = new Load(stage);
  await load.begin(8);
  await load.passes(20);
  const [worker, other] = load.calledBy('a') > 0 ? ['a', 'b'] : ['b', 'a'];
  for (let restart = 0; restart < postgresRestarts; restart++) {
    await pause(Math.random() * 2_000);
    await stage.postgres.stop('fast');
    await stage.postgres.start();
    const since = Date.now();
    await load.recovered(since);
    await load.passes(20);
    const [kept, taken] = [load.calledBy(worker), load.calledBy(other)];
    report(`Postgres restarted (${String(kept)} calls of the worker, ${String(taken)} of the other)`, load, since);
  }
  // No process died of it.
  expect(pods.filter((pod) => pod.isRunning).map(({ process: { child } }) => child.pid)).toEqual(processes);
  expect(await load.problems()).toEqual([]);
  expect(load.calledBy(other)).toBe(0);
});
