/** The runbook on a Redis outage, rehearsed on a cluster that refuses everything because one shard is away. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotOfKey } from '../../src/queue/redis/cluster-slot.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { openClusterStage, until } from './cluster-stage.ts';
import type { Pod } from './pod.ts';
import { runBlock } from './rehearsed-block.ts';

const page = 'docs/operating/runbooks/redis-outage.md';
const downstream = new ScriptedDownstream();
const stage = openClusterStage({ redis: 'cluster' });

beforeAll(() => downstream.open());
afterAll(() => downstream.close());

it('finds the primary that is down, lets the other shards go on, and ends well when it is back', async () => {
  const saga = new SagaBuilder(downstream.url, 'outage');
  const { nodes } = stage.cluster;
  for (const node of nodes) await node.admin.config('SET', 'cluster-require-full-coverage', 'yes');
  const [pod] = (await stage.start('a')) as [Pod];
  const start = async (): Promise<string> =>
    (await pod.ask('POST', '/workflows/run', { definition: saga.linear(['a']), payload: {} })).body.id as string;
  const statusOf = async (id: string): Promise<unknown> => (await pod.ask('GET', `/workflows/${id}`)).body.status;
  const members = await stage.cluster.primaryOf(slotOfKey('trama:pods'));
  const primaries = await Promise.all([0, 6_000, 12_000].map((slot) => stage.cluster.primaryOf(slot)));
  const lost = primaries.find((primary) => primary !== members)!;
  const away = [...(await stage.cluster.replicasOf(lost)), lost];
  const env = { REDIS_NODE: `127.0.0.1:${String(members.port)}` };
  const look = (): Promise<string> => runBlock(page, 'redis-cli -u "redis://$REDIS_NODE" cluster info', env);
  const well = await look();
  expect(well).toContain('cluster_state:ok');
  expect(well).toContain('no primary is down');
  for (const node of away) await node.kill();
  await until(async () => (await look()).includes('cluster_state:fail'));
  const said = await look();
  expect(said).toMatch(new RegExp(`127\\.0\\.0\\.1:${String(lost.port)}@.*master,fail`));
  expect(said).toMatch(/cluster-require-full-coverage\nyes/);
  await until(async () => (await pod.unready()).includes('redis_unreachable'));
  // What is accepted now waits, and is not lost.
  const waiting = await Promise.all(Array.from({ length: 8 }, start));
  for (const node of nodes.filter((each) => !away.includes(each)))
    await node.admin.config('SET', 'cluster-require-full-coverage', 'no');
  await until(async () => /cluster_state:ok/.test(await look()));
  // New runs fall into shards whose server answers.
  await until(async () => {
    const id = await start();
    for (let looks = 0; looks < 40; looks++) if ((await statusOf(id)) === 'SUCCEEDED') return true;
    return false;
  });
  for (const node of away) await node.run();
  await until(async () => (await pod.unready()) === '');
  for (const id of waiting) await until(async () => (await statusOf(id)) === 'SUCCEEDED');
});
