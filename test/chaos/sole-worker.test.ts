/** Postgres without Redis: one process works, the next waits and takes over. */
import { expect, it } from 'vitest';
import { openClusterStage } from './cluster-stage.ts';
import { Load } from './load.ts';
import { report } from './report.ts';

const stage = openClusterStage({ redis: 'none' });

it('has one worker, and another one as soon as that is gone', async () => {
  const [first] = await stage.start('a');
  await first!.process.said(/this process works on the store/);
  const second = await stage.pod('b');
  await second.start();
  await second.process.said(/another process works on this store/);
  const load = new Load(stage);
  await load.begin(8);
  await load.passes(40);
  expect(load.calledBy('b')).toBe(0);
  const since = Date.now();
  await load.fault(first!, () => first!.kill());
  await second.process.said(/this process works on the store/);
  await load.recovered(since);
  report('sole worker killed', load, since);
  await load.passes(20);
  expect(load.calledBy('b')).toBeGreaterThan(0);
  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
});
