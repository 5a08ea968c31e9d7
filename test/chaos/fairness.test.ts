/**
 * More is offered than is served while pods come, go and are replaced: each run keeps its place. `TRAMA_CHAOS_ROUNDS`: for how many
 * times 24 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type ClusterStage, type OnFinished, openClusterStage } from './cluster-stage.ts';
import { OfferedLoad } from './fairness.ts';
import { print } from './report.ts';

const rounds = Number(process.env['TRAMA_CHAOS_ROUNDS'] ?? 1);
const seconds = 24 * rounds;
const workers = 6;
const callMillis = 600;
/** What one pod serves each second, and how much more is offered than the pods serve on average. */
const served = (1_000 / callMillis) * workers;
const excess = 1.6;
/** Longest wait, in longest waits of the perfect queue; and what a busy machine may add, in ms. */
const share = 1.5;
const slackMillis = 1_000;
/** How long after the last change what is overdue is judged to go in order, and how many may go past a run: what is in hand, twice. */
const settledMillis = 3_000;
const overtakersMost = 2 * 2 * workers;
// Each run calls the same host, which gets all places: what is judged is the order in the queue.
const env = { RUNTIME_WORKERCOUNT: String(workers), HTTP_PERHOST_MAXCONCURRENCY: String(workers) };

const onRedis = openClusterStage({ redis: 'standalone', env });
const onPostgres = openClusterStage({ redis: 'none', env });

/** Plays it; `pods`: how many serve on average; `changes` are made evenly over the time. */
async function play(
  stage: ClusterStage,
  pods: number,
  finished: OnFinished,
  changes: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const load = new OfferedLoad(stage, callMillis);
  await load.open(finished);
  const offered = load.offer(excess * pods * served, seconds);
  for (const change of changes) {
    await pause((seconds * 1_000) / (changes.length + 1) / 2);
    await change();
  }
  const changed = performance.now();
  await offered;
  const drains = performance.now();
  const { backlog } = load;
  await load.drained();
  const [all, after] = [load.judge(), load.judge(Math.max(drains, changed + settledMillis))];
  for (const [what, { runs, longest, perfect, overtakers }] of Object.entries({ all, after })) {
    const times = (longest / perfect).toFixed(2);
    print(
      `${what}: ${String(runs)} runs, longest wait ${longest.toFixed(0)} ms = ${times} × ${perfect.toFixed(0)} ms of a perfect queue, at most ${String(overtakers)} overtakers of one pod`,
    );
  }
  print(`backlog ${String(backlog)}, drained within ${(performance.now() - drains).toFixed(0)} ms`);
  expect(all.repeated).toBe(0);
  for (const { longest, perfect } of [all, after]) expect(longest).toBeLessThan(share * perfect + slackMillis);
  expect(after.overtakers).toBeLessThanOrEqual(overtakersMost);
}

// Both wait for slow calls most of the time, so that they run beside each other.
it.concurrent(
  'keeps the place of each run while pods of Redis come, go and are replaced',
  async ({ onTestFinished }) => {
    const [first] = await onRedis.start('a', 'b');
    const stop = async (podId: string): Promise<unknown> => (await onRedis.pod(podId)).stop();
    await play(onRedis, 1.3, onTestFinished, [
      () => stop('b'),
      () => onRedis.start('b', 'c'),
      () => stop('c'),
      // A rolling restart of what is left.
      async () => {
        await first!.stop();
        await first!.start();
      },
      async () => {
        await stop('b');
        await onRedis.start('b');
      },
    ]);
  },
);

it.concurrent('keeps the place of each run while pods of Postgres alone are replaced', async ({ onTestFinished }) => {
  const [first, second] = await onPostgres.start('a', 'b');
  const restart = async (pod: typeof first): Promise<void> => {
    await pod!.stop();
    await pod!.start();
  };
  await play(onPostgres, 0.7, onTestFinished, [() => restart(first), () => restart(second), () => restart(first)]);
});
