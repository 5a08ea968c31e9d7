/**
 * What the queue on Redis costs: processor time of this process and of the server per cycle of enqueue, claim and finish,
 * with batches and one id at a time, on one server and on a cluster of six. Starts servers of its own.
 *
 *     node bench/redis-queue.ts [seconds per row]
 */
import { performance } from 'node:perf_hooks';
import type { Shard } from '../src/ports/shard-queue.ts';
import { RedisShardQueue } from '../src/queue/redis/redis-shard-queue.ts';
import type { RedisSettings } from '../src/queue/redis/settings.ts';
import { RedisCluster } from '../test/servers/redis-cluster.ts';
import { RedisServer } from '../test/servers/redis.ts';

const seconds = Number(process.argv[2] ?? 3);
const incarnation = 'bench';

interface Row {
  readonly batch: number;
  /** Shards that go through cycles at the same time. */
  readonly shards: number;
}

const rows: readonly Row[] = [
  // Warms up.
  { batch: 50, shards: 8 },
  { batch: 50, shards: 1 },
  { batch: 50, shards: 8 },
  { batch: 1, shards: 1 },
  { batch: 1, shards: 50 },
];

/** Processor time of all servers so far, replicas included, in ms. */
async function serverMillis(servers: readonly RedisServer[]): Promise<number> {
  const texts = await Promise.all(servers.map((server) => server.admin.info('cpu')));
  const of = (text: string, name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
  return texts.reduce((sum, text) => sum + 1000 * (of(text, 'used_cpu_sys') + of(text, 'used_cpu_user')), 0);
}

async function runCycles(queue: RedisShardQueue, shard: Shard, batch: number, until: number): Promise<number> {
  const ids = Array.from({ length: batch }, (_, index) => `0190a5f2-7c1b-7e10-8f00-${String(index).padStart(12, '0')}`);
  const process = 'pod-1/0123456789abcdef/';
  let done = 0;
  while (performance.now() < until) {
    await queue.enqueue(
      shard,
      ids.map((id) => ({ id, delayMillis: 0 })),
    );
    const notAfter = queue.serverNow() + 10_000;
    const request = { max: batch, leaseMillis: 10_000, process, firstNumber: done + 1, notAfter, incarnation };
    const reply = await queue.claim(shard, request);
    if (reply.kind !== 'claimed' || reply.claimed.length !== batch) throw new Error(JSON.stringify(reply));
    await queue.finish(
      shard,
      reply.claimed.map(({ id, token }) => ({ id, token, next: 'gone' })),
    );
    done += batch;
  }
  return done;
}

async function measure(
  queue: RedisShardQueue,
  servers: readonly RedisServer[],
  { batch, shards }: Row,
): Promise<string> {
  const all = Array.from({ length: shards }, (_, index) => ({ count: 64, index }));
  await Promise.all(all.map((shard) => queue.mark(shard, incarnation)));
  const serverBefore = await serverMillis(servers);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const done = await Promise.all(all.map((shard) => runCycles(queue, shard, batch, startedAt + seconds * 1000)));
  const own = process.cpuUsage(before);
  const took = (performance.now() - startedAt) / 1000;
  const cycles = done.reduce((sum, each) => sum + each, 0);
  const client = (own.user + own.system) / cycles;
  const served = (1000 * ((await serverMillis(servers)) - serverBefore)) / cycles;
  const columns = [batch, shards, Math.round(cycles / took), client.toFixed(1), served.toFixed(1)];
  return columns.map((value) => String(value).padStart(12)).join('');
}

async function bench(name: string, where: RedisSettings['servers'], servers: readonly RedisServer[]): Promise<void> {
  const settings = { servers: where, commandTimeoutMillis: 5000, keyPrefix: 'bench', membershipKey: 'bench:pods' };
  const queue = new RedisShardQueue(settings, {
    failed: (error) => {
      console.error(error.message);
    },
    policy: () => undefined,
  });
  await queue.open('pod-1/0123456789abcdef', { rung: () => undefined, changed: () => undefined });
  try {
    console.log([name, 'shards', 'cycles/s', 'client µs', 'server µs'].map((title) => title.padStart(12)).join(''));
    for (const row of rows) console.log(await measure(queue, servers, row));
  } finally {
    await queue.close();
  }
}

const server = await RedisServer.start();
try {
  const address = { host: '127.0.0.1', port: server.port };
  await bench('one, batch', { topology: 'standalone', address, database: 0 }, [server]);
} finally {
  await server.close();
}
const cluster = await RedisCluster.start();
try {
  await bench('six, batch', { topology: 'cluster', seeds: cluster.seeds }, cluster.nodes);
} finally {
  await cluster.close();
}
