/**
 * What comes from outside for an execution whose call is under way, at the moment in which Redis has lost that claim and its holder has
 * not renewed it yet: the id is put into the queue, and another pod could claim it. No pod does: the store's answer to the event says which pod
 * holds the execution, and the id goes back to that pod. No call comes twice, and no pod is fenced.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { parseMetrics } from '../metrics-text.ts';
import { openClusterStage, until } from './cluster-stage.ts';
import type { Pod } from './pod.ts';

const runs = 16;
/** Longer than the rest of a shard after a loss, and than a round of the reconcile; shorter than a lease. */
const settleMillis = 4_000;
let release: () => void = () => undefined;
let held: Promise<void>;
const downstream = new ScriptedDownstream(() => ({ after: held }));
// The default times: no lease is over meanwhile.
const stage = openClusterStage({ redis: 'standalone' });

beforeAll(() => downstream.open());
afterAll(() => downstream.close());

const losses: Readonly<Record<string, () => Promise<unknown>>> = {
  everything: () => stage.redis.admin.flushall(),
  'its claims': async () => stage.redis.admin.del(...(await stage.redis.admin.keys('*:claims'))),
  'its claims and leases': async () => {
    const { admin } = stage.redis;
    return admin.del(...(await admin.keys('*:claims')), ...(await admin.keys('*:inflight')));
  },
};

async function sumOf(series: string, pods: readonly Pod[]): Promise<number> {
  const texts = await Promise.all(pods.map((pod) => pod.ask('GET', '/metrics')));
  const samples = texts.flatMap(({ text }) => parseMetrics(text)).filter(({ name }) => name === series);
  return samples.flatMap((family) => family.samples).reduce((sum, { value }) => sum + value, 0);
}

it.each(Object.keys(losses).map((what, n) => [what, n] as const))('Redis loses %s', async (what, n) => {
  held = new Promise((resolve) => (release = resolve));
  const saga = new SagaBuilder(downstream.url, `lost-${String(n)}`);
  const [holder] = (await stage.start(`holder-${String(n)}`)) as [Pod];
  const ids = await Promise.all(
    Array.from({ length: runs }, async () => {
      const definition = saga.linear(['a', 'b']);
      return (await holder.ask('POST', '/workflows/run', { definition, payload: {} })).body.id as string;
    }),
  );
  await downstream.arrival(`/${saga.name}/a`, runs);
  // Takes over half of the shards; what is in hand stays where it is.
  const [other] = (await stage.start(`other-${String(n)}`)) as [Pod];
  await until(async () => (await sumOf('saga_redis_owned_shards', [other])) > 0);
  await losses[what]!();
  const answers = await Promise.all(ids.map((id) => other.ask('POST', `/workflows/${id}/cancel`)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  // What is enqueued after that is claimed by then: the other pod has had every occasion.
  await pause(settleMillis);
  // No pod has taken a call that is under way for one that was interrupted.
  expect(downstream.calls(`/${saga.name}/undo-a`)).toEqual([]);
  release();
  const statusOf = async (id: string): Promise<unknown> => (await other.ask('GET', `/workflows/${id}`)).body.status;
  for (const id of ids) await until(async () => (await statusOf(id)) === 'CANCELLED');
  const count = (node: string): number => downstream.calls(`/${saga.name}/${node}`).length;
  expect({ a: count('a'), b: count('b'), undone: count('undo-a') }).toEqual({ a: runs, b: 0, undone: runs });
  expect(await sumOf('saga_fenced_total', [holder, other])).toBe(0);
  await Promise.all([holder, other].map((pod) => pod.kill()));
});
