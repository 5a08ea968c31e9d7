/** Postgres crashes and comes back under load. */
import { expect, it } from 'vitest';
import { openClusterStage, until } from './cluster-stage.ts';
import { Load } from './load.ts';
import { report } from './report.ts';

const stage = openClusterStage({ redis: 'standalone' });
/** Within how long after Postgres serves again everything goes on (`TARGETS`: 5 s), and what a busy machine may add. */
const recoveryMillis = 5_000 + 5_000;

it('refuses with 503 while Postgres is away, loses nothing, and goes on by itself', async () => {
  const [pod] = await stage.start('a', 'b', 'c');
  const load = new Load(stage);
  await load.begin();
  await load.passes(40);
  await stage.postgres.stop('immediate');
  await until(async () => (await pod!.unready()).includes('database_unreachable'));
  expect(await pod!.unready('api')).toContain('database_unreachable');
  expect((await pod!.ask('GET', '/healthz')).status).toBe(200);
  await until(() => load.refusals.length > 0);
  await stage.postgres.start();
  const since = Date.now();
  await load.recovered(since);
  expect(report('Postgres crashed and restarted', load, since)).toBeLessThan(recoveryMillis);
  await load.passes(40);
  // Right outcomes mean, too, that nothing was counted against an execution: those here retry nothing.
  expect(await load.problems()).toEqual([]);
  for (const { status, code, retryAfter } of load.refusals) {
    expect({ status, code }).toEqual({ status: 503, code: 'store_unavailable' });
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }
  await until(async () => (await pod!.unready()) === '');
  await expect.poll(() => stage.keysLeft(), { timeout: 15_000 }).toEqual([]);
});
