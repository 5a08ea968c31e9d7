/** Postgres alone, restarted again and again under load: no process dies of a connection that ends, in whatever state it was. */
import { expect, it } from 'vitest';
import { openClusterStage } from './cluster-stage.ts';
import { Load } from './load.ts';
import { print } from './report.ts';

const stage = openClusterStage({ redis: 'none' });
const restarts = 20;

interface Line {
  readonly level: string;
  readonly msg: string;
}

it('outlives restarts of Postgres, fast and immediate ones', async () => {
  const pods = await stage.start('a', 'b');
  const load = new Load(stage);
  await load.begin(8);
  await load.passes(8);
  const begun = performance.now();
  for (let count = 0; count < restarts; count++) {
    await Promise.all(
      pods.map((pod) =>
        load.fault(pod, async () => {
          if (pod === pods[0]) await stage.postgres.restart(count % 2 === 0 ? 'fast' : 'immediate');
          await load.passes(1);
        }),
      ),
    );
  }
  print(`${String(restarts)} restarts of Postgres took ${String(Math.round(performance.now() - begun))} ms`);
  await load.passes(10);
  expect(await load.problems()).toEqual([]);
  expect(pods.map(({ isRunning }) => isRunning)).toEqual([true, true]);
  for (const pod of pods) {
    const { code, out, notes } = await pod.stop();
    expect({ code, notes }).toEqual({ code: 0, notes: '' });
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    // Connections that break one after the other are one piece of news, and nothing of it needs an operator.
    expect(lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  }
});
