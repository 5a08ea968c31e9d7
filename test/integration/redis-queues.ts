/** What the tests of the queue on Redis share: settings for test servers, open queues, and traffic on them. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, vi } from 'vitest';
import type { Ring, Shard, ShardClaimReply, ShardPart, ShardQueueListener } from '../../src/ports/shard-queue.ts';
import { clusterClient, standaloneClient } from '../../src/queue/redis/connect.ts';
import { Keyspace } from '../../src/queue/redis/keyspace.ts';
import { RedisShardQueue, type RedisObserver } from '../../src/queue/redis/redis-shard-queue.ts';
import type { RedisSettings } from '../../src/queue/redis/settings.ts';
import type { ShardBench } from '../contract/shard-queue/bench.ts';
import type { RedisServer } from '../servers/redis.ts';

/** Where a test's servers are. */
export type Servers = RedisSettings['servers'];

/** One server on the loopback interface. */
export function standaloneAt(port: number): Servers {
  return { topology: 'standalone', address: { host: '127.0.0.1', port }, database: 0 };
}

let prefixes = 0;

/** Settings with names that no other test uses. */
export function settingsFor(servers: Servers, changes: Partial<RedisSettings> = {}): RedisSettings {
  prefixes++;
  const keyPrefix = `test-${String(prefixes)}`;
  return { servers, commandTimeoutMillis: 1000, keyPrefix, membershipKey: `${keyPrefix}:pods`, ...changes };
}

/** A bench whose processes share one prefix. */
export function benchOn(servers: Servers): ShardBench {
  const settings = settingsFor(servers, { commandTimeoutMillis: 5000 });
  const observer: RedisObserver = { failed: () => undefined, policy: () => undefined };
  return {
    connect: () => new RedisShardQueue(settings, observer),
    pass: (millis) => pause(millis),
    lose: (shard, part) => losePart(settings, shard, part),
    close: () => Promise.resolve(),
  };
}

/** Removes one key of a shard, as a server does that evicts keys. */
export async function losePart(settings: RedisSettings, shard: Shard, part: ShardPart): Promise<void> {
  const { servers, keyPrefix, membershipKey } = settings;
  const client =
    servers.topology === 'cluster'
      ? clusterClient(settings, servers.seeds)
      : standaloneClient(settings, servers.address, servers.database);
  try {
    await client.connect();
    await client.unlink(new Keyspace(keyPrefix, membershipKey).shard(shard).names[part]);
  } finally {
    client.disconnect();
  }
}

/** An open queue and what it told. */
export interface OpenQueue {
  readonly queue: RedisShardQueue;
  readonly rings: Ring[];
  readonly errors: Error[];
  readonly policies: (string | undefined)[];
  /** How often something had changed. */
  readonly changes: () => number;
}

const opened: RedisShardQueue[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((queue) => queue.close()));
});

/** Opens a queue that is closed after the test. */
export function openQueue(settings: RedisSettings, member: string = 'pod-1/a'): Promise<OpenQueue> {
  const { queue, opening } = beginToOpen(settings, member);
  opened.push(queue);
  return opening;
}

/** A queue that is closed after the test and may never be open; for servers that refuse it, which an open waits five seconds for. */
export function refusedQueue(settings: RedisSettings, member?: string): Omit<OpenQueue, 'changes'> {
  const { opening, ...begun } = beginToOpen(settings, member);
  opened.push(begun.queue);
  // It ends, at the latest, when the queue is closed.
  void opening.catch(() => undefined);
  return begun;
}

/** A queue that the caller closes, open or not. An open that reaches no server takes five seconds. */
export function beginToOpen(
  settings: RedisSettings,
  member: string = 'pod-1/a',
): Omit<OpenQueue, 'changes'> & { readonly opening: Promise<OpenQueue> } {
  const errors: Error[] = [];
  const policies: (string | undefined)[] = [];
  const rings: Ring[] = [];
  let changes = 0;
  const queue = new RedisShardQueue(settings, {
    failed: (error) => errors.push(error),
    policy: (policy) => policies.push(policy),
  });
  const listener: ShardQueueListener = { rung: (ring) => rings.push(ring), changed: () => changes++ };
  const opening = queue.open(member, listener).then(() => ({ queue, rings, errors, policies, changes: () => changes }));
  return { queue, rings, errors, policies, opening };
}

/** The run that serves the shard; waits until one is known. */
export async function runOf(queue: RedisShardQueue, shard: Shard): Promise<string> {
  await vi.waitFor(() => {
    expect(queue.incarnationOf(shard)).toBeDefined();
  }, patience);
  return queue.incarnationOf(shard)!;
}

/** How long tests wait for servers to recover; nothing asserts that it takes less. */
export const patience: { readonly timeout: number; readonly interval: number } = { timeout: 30_000, interval: 20 };

/** Marks the shard for the run that serves it. */
export async function markNow(queue: RedisShardQueue, shard: Shard): Promise<void> {
  await queue.mark(shard, await runOf(queue, shard));
}

/** Claims in the name of `pod-1/a/`, for the run that is known to serve the shard. */
export function claimNow(
  queue: RedisShardQueue,
  shard: Shard,
  max: number = 10,
  firstNumber: number = 1,
  leaseMillis: number = 60_000,
): Promise<ShardClaimReply> {
  return queue.claim(shard, {
    max,
    leaseMillis,
    process: 'pod-1/a/',
    firstNumber,
    notAfter: queue.serverNow() + 60_000,
    incarnation: queue.incarnationOf(shard) ?? 'unknown',
  });
}

/** How often each command ran on a server since its counters were reset; refused calls are not counted. */
export async function commandCalls(server: RedisServer): Promise<ReadonlyMap<string, number>> {
  const text = await server.admin.info('commandstats');
  return new Map([...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, calls]) => [name!, Number(calls)]));
}

/** Calls of scripts on a server since its counters were reset. */
export async function scriptCalls(server: RedisServer): Promise<number> {
  const calls = await commandCalls(server);
  return (calls.get('eval') ?? 0) + (calls.get('evalsha') ?? 0);
}
