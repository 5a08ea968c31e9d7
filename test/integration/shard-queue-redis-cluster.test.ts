import { afterAll, beforeAll } from 'vitest';
import { describeShardQueue } from '../contract/shard-queue-contract.ts';
import { RedisCluster } from '../servers/redis-cluster.ts';
import { benchOn } from './redis-queues.ts';

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});

afterAll(async () => {
  await cluster.close();
});

describeShardQueue('the shared queue on a Redis Cluster', () =>
  Promise.resolve(benchOn({ topology: 'cluster', seeds: cluster.seeds })),
);
