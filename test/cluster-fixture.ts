/** Processes of a cluster in one test: engines over one simulated queue server and one store. */
import type { Clock } from '../src/ports/clock.ts';
import { QueueUnavailable } from '../src/ports/queue.ts';
import type { Shard, ShardQueue } from '../src/ports/shard-queue.ts';
import type { ShardQueueServer } from '../simulator/queue/shard-queue-server.ts';
import type { Engine } from '../src/engine/engine.ts';
import { FirstFill } from '../src/engine/queue/sharding/first-fill.ts';
import { ShardCount } from '../src/engine/queue/sharding/shard-count.ts';
import { ShardedQueue } from '../src/engine/queue/sharding/sharded-queue.ts';
import type { RuntimeFixture } from './runtime-fixture.ts';

/** A process of a cluster. */
export interface Pod {
  readonly engine: Engine;
  readonly queue: ShardedQueue;
  readonly connection: ShardQueue;
}

/** A connection by which the shards that `isAway` names cannot be reached. */
export function cutOff(connection: ShardQueue, isAway: (shard: Shard) => boolean): ShardQueue {
  return new Proxy(connection, {
    get: (_, name: keyof ShardQueue) => {
      const method = connection[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        const [shard] = args as [Shard | undefined];
        if (typeof shard !== 'object' || !('index' in shard) || !isAway(shard)) return method.apply(connection, args);
        return name === 'incarnationOf' ? undefined : Promise.reject(new QueueUnavailable('This node is away.'));
      };
    },
  });
}

/** A connection to two nodes, of which the one with half of the shards answers nothing while `isHung`: that takes so long to fail. */
export function twoNodes(
  connection: ShardQueue,
  clock: Clock,
  isHung: () => boolean,
  failsAfterMillis: number,
): ShardQueue {
  return new Proxy(connection, {
    get: (_, name: keyof ShardQueue) => {
      const method = connection[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        const [shard] = args as [Shard | undefined];
        const answer = (): unknown => method.apply(connection, args);
        if (typeof shard !== 'object' || !('index' in shard)) return answer();
        if (name === 'incarnationOf') return `${String(isHalf(shard))} ${String(answer())}`;
        if (!isHung() || !isHalf(shard)) return answer();
        return new Promise((_resolve, reject) => {
          clock.after(failsAfterMillis, () => reject(new QueueUnavailable('This node did not answer.')));
        });
      };
    },
  });
}

/** Half of the shards: those of a node that is away. */
export function isHalf(shard: Shard): boolean {
  return shard.index % 2 === 0;
}

/** How a process differs from the others. */
export interface PodOptions {
  readonly shards?: number;
  readonly works?: boolean;
  readonly sweepMillis?: number;
  readonly via?: (connection: ShardQueue) => ShardQueue;
}

/** Starts a process; the fixture stops it. */
export async function startPod(
  fixture: RuntimeFixture,
  server: ShardQueueServer,
  podId: string,
  more: PodOptions = {},
): Promise<Pod> {
  const { clock, entropy, store, telemetry } = fixture;
  const { shards = 64, works = true, sweepMillis = 5_000, via = (connection) => connection } = more;
  await store.open();
  const count = new ShardCount({ store, telemetry, wants: shards });
  const connection = via(server.connect());
  const queue = new ShardedQueue({
    clock,
    entropy,
    telemetry,
    count,
    podId,
    works,
    server: connection,
    version: '1.0.0',
    ttlMillis: 10_000,
    beatMillis: 2_000,
    sweepMillis,
    leaseMillis: 10_000,
    claimers: 4,
    firstFill: new FirstFill({ store, telemetry }),
  });
  const engine = await fixture.engine({ fullSweepMillis: sweepMillis }, works, () => queue);
  await clock.advance(10);
  return { engine, queue, connection };
}
