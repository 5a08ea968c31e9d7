/**
 * A pod is cut off from Postgres and Redis for longer than its leases last, alive, while another takes its runs over and ends
 * them; then one way heals before the other. Nothing stale may leave it. `TRAMA_CHAOS_ROUNDS`: how often, for each order.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type ClusterStage, type OnFinished, until } from './cluster-stage.ts';
import { print } from './report.ts';
import { RetriedRuns, secretsOf } from './retried-runs.ts';
import type { Way } from './wires.ts';

const rounds = Number(process.env['TRAMA_CHAOS_ROUNDS'] ?? 2);
const runsAtOnce = 60;
/** The lease, the time until the pod is counted out, and some more. */
const cutMillis = 3_000 + 3_000 + 1_000;
/** How much later the second way heals. */
const apartMillis = 1_500;
/** So many first calls of the severed pod have been answered when it is cut off, one more each time: other runs are before or behind. */
const answeredBefore = [4, 16];
const kindsOfCut = ['blackhole', 'refuse', 'hold'] as const;
/** A store so far away that reads are under way at any moment. */
const latencyMillis = 100;
/** How long a revived pod is watched for stale calls. */
const watchedMillis = 3_000;

/**
 * Plays it on a stage with `shortTimes` that no other test uses meanwhile, and expects nothing stale. The way that is named
 * first heals first.
 */
export async function sever(
  stage: ClusterStage,
  [first, second]: readonly [Way, Way],
  finished: OnFinished,
): Promise<void> {
  const { pod: cut, wires } = await stage.wiredPod('cut', secretsOf('cut'));
  const { pod: other } = await stage.wiredPod('other', secretsOf('other'));
  const pods = [cut, other];
  await stage.start('cut', 'other');
  const runs = new RetriedRuns();
  await runs.open(finished);
  for (let round = 0; round < rounds; round++) {
    const how = kindsOfCut[round % kindsOfCut.length]!;
    await until(async () => (await cut.unready()) === '');
    const ids = await runs.fail(runsAtOnce, pods);
    wires.storeLatencyMillis = latencyMillis;
    const begun = runs.begun(answeredBefore[round % answeredBefore.length]!, cut);
    // Only the other one answers fast enough for a client.
    await runs.retry(ids, [other]);
    await begun;
    await runs.fault(cut, async () => {
      const since = performance.now();
      wires.cut('store', how);
      wires.cut('queue', how);
      wires.storeLatencyMillis = 0;
      await runs.over(2, ids, other);
      print(`all ended elsewhere ${String(Math.round(performance.now() - since))} ms after the cut`);
      await until(() => performance.now() - since > cutMillis);
      wires.heal(first, how);
      await pause(apartMillis);
      wires.heal(second, how);
      await until(async () => (await cut.unready()) === '');
    });
    await pause(watchedMillis);
  }
  const problems = await runs.problems(other);
  print(
    `${first} healed before the ${second}: ${String(problems.length)} problems in ${String(rounds * runsAtOnce)} runs`,
  );
  expect(problems).toEqual([]);
}
