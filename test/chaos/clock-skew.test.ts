/** Workers whose clocks are minutes apart share one store and one queue. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openClusterStage, shortTimes } from './cluster-stage.ts';
import { Load } from './load.ts';
import type { Pod } from './pod.ts';

const stage = openClusterStage({ redis: 'standalone', env: shortTimes });
const minute = 60_000;
/** What is left of a minute once the store's clock counts; the rest is for a busy machine. */
const nearMillis = 20_000;

async function startSkewed(podId: string, millis: number): Promise<Pod> {
  const preload = join(import.meta.dirname, 'skewed-clock.mjs');
  const pod = await stage.pod(podId, {
    NODE_OPTIONS: `--import=file://${preload}`,
    SKEW_MILLIS: String(millis),
  });
  await pod.start();
  return pod;
}

it('changes no outcome, no time of a record and no wait, also when one of them is killed', async () => {
  const [late, , early] = await Promise.all([
    startSkewed('late', -minute),
    startSkewed('right', 0),
    startSkewed('early', minute),
  ]);
  // The skew is real: log lines bear the time of the machine.
  for (const [pod, skew] of [[late, -minute] as const, [early, minute] as const]) {
    const [, time] = await pod.process.said(/"time":"([^"]+)"/);
    expect(Math.abs(Date.parse(time as string) - Date.now() - skew)).toBeLessThan(nearMillis);
  }

  const begun = Date.now();
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  const since = Date.now();
  await load.fault(late, () => late.kill());
  await load.recovered(since);
  await load.eased(() => late.start());
  await load.passes(20);
  await load.fault(early, () => early.kill());
  await load.passes(40);

  expect(await load.problems()).toEqual([]);
  expect(load.refusals).toEqual([]);
  for (const { startedAt, completedAt } of load.documents) {
    for (const time of [startedAt, completedAt] as string[]) {
      expect(Date.parse(time)).toBeGreaterThan(begun - nearMillis);
      expect(Date.parse(time)).toBeLessThan(Date.now() + nearMillis);
    }
    expect(Date.parse(completedAt as string)).toBeGreaterThanOrEqual(Date.parse(startedAt as string));
  }
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});
