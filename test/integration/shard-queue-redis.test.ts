import { afterAll, beforeAll } from 'vitest';
import { describeShardQueue } from '../contract/shard-queue-contract.ts';
import { RedisServer } from '../servers/redis.ts';
import { benchOn, standaloneAt } from './redis-queues.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(async () => {
  await server.close();
});

describeShardQueue('the shared queue on one Redis server', () => Promise.resolve(benchOn(standaloneAt(server.port))));
