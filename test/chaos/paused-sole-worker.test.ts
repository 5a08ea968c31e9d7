/**
 * Postgres alone: the process that works on the store is paused past its leases, its lock ends meanwhile, another one takes over
 * and ends all runs; then the first goes on. Nothing stale may leave it. `TRAMA_CHAOS_ROUNDS`: how often.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';
import { print } from './report.ts';
import { RetriedRuns, secretsOf } from './retried-runs.ts';

/** So many calls at once: others wait at the gate. */
const places = 12;
const stage = openClusterStage({
  redis: 'none',
  env: {
    ...shortTimes,
    HTTP_PERHOST_MAXCONCURRENCY: String(places),
    // Connections that are forgotten hang for so long.
    DATABASE_STATEMENTTIMEOUTMILLIS: '2000',
  },
});
/** One of each kind: told of the end of its lock, and not told. */
const rounds = Number(process.env['TRAMA_CHAOS_ROUNDS'] ?? 2);
const runsAtOnce = 40;
const leaseMillis = 3_000;
/** First calls that are answered before the pause, together: what follows them is being written or read then. */
const answeredBefore = 6;
/** How late Postgres answers then. One answer later the results are durable, two later the next calls leave. */
const latencyMillis = 200;
/** How long after the pause the other first calls are answered. */
const answeredAfterMillis = 300;
/** From its arrival until then, in ms: first calls wait for the gate to be full, and then for the end of the pause. */
const slowestCallMillis = 30_000;
/** How long a process is watched for stale calls after it goes on. */
const watchedMillis = 3_000;

it('sends nothing stale after it was paused and another process has worked', async () => {
  const first = await stage.wiredPod('first', secretsOf('first'));
  const second = await stage.wiredPod('second', secretsOf('second'));
  await first.pod.start();
  await first.pod.process.said(/this process works on the store/);
  await second.pod.start();
  const runs = new RetriedRuns(slowestCallMillis);
  await runs.open();
  let [working, waiting] = [first, second];
  for (let round = 0; round < rounds; round++) {
    // It is told of the end of its lock, or all its connections are forgotten and it finds out by itself.
    const isTold = round % 2 === 1;
    const [early, late] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    let arrived = 0;
    const { podId } = working.pod;
    runs.first = (caller) => {
      if (caller !== podId) return Promise.resolve();
      return arrived++ < answeredBefore ? early.promise : late.promise;
    };
    const ids = await runs.fail(runsAtOnce, [working.pod]);
    await runs.retry(ids, [working.pod]);
    await until(() => arrived >= places);
    working.wires.storeLatencyMillis = latencyMillis;
    early.resolve(undefined);
    await pause(1.5 * latencyMillis);
    await runs.fault(working.pod, async () => {
      const since = performance.now();
      working.pod.freeze();
      await until(() => performance.now() - since > leaseMillis);
      if (isTold) await stage.endLock();
      else working.wires.forget('store');
      await runs.over(2, ids, waiting.pod);
      const how = isTold ? 'told' : 'not told';
      print(`${how}: all ended elsewhere ${String(Math.round(performance.now() - since))} ms after the pause began`);
      working.wires.storeLatencyMillis = 0;
      working.pod.thaw();
      await pause(answeredAfterMillis);
      late.resolve(undefined);
      await until(async () => (await working.pod.unready()) === '');
    });
    await pause(watchedMillis);
    [working, waiting] = [waiting, working];
  }
  const problems = await runs.problems(working.pod);
  print(`sole worker paused: ${String(problems.length)} problems in ${String(rounds * runsAtOnce)} runs`);
  expect(problems).toEqual([]);
});
