/** Faults of a cluster. Each test leaves it whole. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { QueueUnavailable } from '../../src/ports/queue.ts';
import type { Shard } from '../../src/ports/shard-queue.ts';
import { slotOfKey } from '../../src/queue/redis/cluster-slot.ts';
import { Keyspace } from '../../src/queue/redis/keyspace.ts';
import { scripts } from '../../src/queue/redis/scripts.ts';
import type { RedisSettings } from '../../src/queue/redis/settings.ts';
import { RedisCluster } from '../servers/redis-cluster.ts';
import type { RedisServer } from '../servers/redis.ts';
import { gatherUncaught } from '../uncaught.ts';
import {
  claimNow,
  commandCalls,
  markNow,
  openQueue,
  patience,
  refusedQueue,
  runOf,
  scriptCalls,
  settingsFor,
  type OpenQueue,
} from './redis-queues.ts';

/** How long commands are counted while nothing happens: three looks at the server. */
const idleMillis = 6000;

let cluster: RedisCluster;
const paused: RedisServer[] = [];

beforeAll(async () => {
  cluster = await RedisCluster.start();
});

afterEach(async () => {
  for (const server of paused.splice(0)) server.resume();
  for (const server of cluster.nodes) if (!server.isRunning) await server.run();
  await cluster.settled();
});

afterAll(async () => {
  await cluster.close();
});

const shards: readonly Shard[] = Array.from({ length: 64 }, (_, index) => ({ count: 64, index }));

function settings(changes: Partial<RedisSettings> = {}): RedisSettings {
  return settingsFor({ topology: 'cluster', seeds: cluster.seeds }, changes);
}

function slotOf(settings: RedisSettings, shard: Shard): number {
  return new Keyspace(settings.keyPrefix, settings.membershipKey).shard(shard).slot;
}

/** Shards by the primary that serves them. */
async function shardsOf(settings: RedisSettings): Promise<Map<RedisServer, Shard[]>> {
  const found = new Map<RedisServer, Shard[]>();
  for (const shard of shards) {
    const primary = await cluster.primaryOf(slotOf(settings, shard));
    found.set(primary, [...(found.get(primary) ?? []), shard]);
  }
  return found;
}

/** Waits until the shard can be marked and claimed from again. */
async function recovered({ queue }: OpenQueue, shard: Shard): Promise<void> {
  await vi.waitFor(async () => {
    await markNow(queue, shard);
    expect((await claimNow(queue, shard, 1)).kind).toBe('claimed');
  }, patience);
}

/** How many shards are not refused. */
async function served({ queue }: OpenQueue, of: readonly Shard[]): Promise<number> {
  const answers = await Promise.allSettled(of.map((shard) => queue.count([shard])));
  return answers.filter(({ status }) => status === 'fulfilled').length;
}

describe('a primary', () => {
  it.each(['killed', 'hung'] as const)('that is %s is replaced, and its shards are another run', async (how) => {
    const own = settings();
    const open = await openQueue(own);
    const [[victim, lost], [, kept]] = [...(await shardsOf(own))] as [[RedisServer, Shard[]], [RedisServer, Shard[]]];
    const [shard] = lost as [Shard];
    const before = await runOf(open.queue, shard);
    await markNow(open.queue, shard);

    if (how === 'killed') await victim.kill();
    else {
      victim.pause();
      paused.push(victim);
    }
    await vi.waitFor(async () => {
      await expect(open.queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).rejects.toBeInstanceOf(QueueUnavailable);
    }, patience);
    expect(await served(open, kept)).toBe(kept.length);

    await vi.waitFor(() => {
      expect(open.queue.incarnationOf(shard) ?? before).not.toBe(before);
    }, patience);
    expect(open.changes()).toBeGreaterThan(0);
    // What the replica has may be old: the marker that came with it does not count.
    expect(await claimNow(open.queue, shard)).toEqual({ kind: 'unmarked' });
    await recovered(open, shard);
    await vi.waitFor(async () => {
      expect(await served(open, shards)).toBe(shards.length);
    }, patience);
  });

  it('that hands over to its replica in order is another run, and rings arrive again', async () => {
    const own = settings();
    const open = await openQueue(own);
    const primary = await cluster.primaryOf(new Keyspace(own.keyPrefix, own.membershipKey).bell('pod-1/a').slot);
    await cluster.failover(primary);
    await vi.waitFor(async () => {
      await open.queue.ring('pod-1/a', { delayMillis: 0, members: true });
      expect(open.rings).not.toEqual([]);
    }, patience);
    expect(open.changes()).toBeGreaterThan(0);
  });
});

describe('a primary that was one before', () => {
  it('is another run when it is promoted again', async () => {
    const own = settings();
    const open = await openQueue(own);
    const [shard] = shards as readonly [Shard];
    const first = await cluster.primaryOf(slotOf(own, shard));
    const before = await runOf(open.queue, shard);
    const second = await cluster.failover(first, 'by force');
    await cluster.settled();
    expect(await cluster.failover(second, 'by force')).toBe(first);
    await cluster.settled();
    const other = await openQueue(own, 'pod-2/b');
    expect(await runOf(other.queue, shard)).not.toBe(before);
    // A process that saw both comes to the same name.
    await vi.waitFor(() => {
      expect(open.queue.incarnationOf(shard)).toBe(other.queue.incarnationOf(shard));
    }, patience);
  });
});

describe('slots', () => {
  it('on their way to a node that does not answer refuse what is asked of them, and nothing else happens', async () => {
    const uncaught = gatherUncaught();
    const own = settings();
    const { queue } = await openQueue(own);
    const [[source, [shard]], [target]] = [...(await shardsOf(own))] as [
      [RedisServer, Shard[]],
      [RedisServer, Shard[]],
    ];
    expect(await queue.count([shard!])).toEqual({ ready: 0, inFlight: 0 });
    const slot = slotOf(own, shard!);
    await target.admin.cluster('SETSLOT', slot, 'IMPORTING', await source.admin.cluster('MYID'));
    await source.admin.cluster('SETSLOT', slot, 'MIGRATING', await target.admin.cluster('MYID'));
    target.pause();
    await expect(queue.count([shard!])).rejects.toBeInstanceOf(QueueUnavailable);
    await pause(100);
    target.resume();
    for (const server of [source, target]) await server.admin.cluster('SETSLOT', slot, 'STABLE');
    expect(uncaught).toEqual([]);
  });

  it('that move while claims run lose nothing and repeat nothing', async () => {
    // A busy machine is no fault here.
    const own = settings({ commandTimeoutMillis: 10_000 });
    const open = await openQueue(own);
    const byPrimary = [...(await shardsOf(own))];
    const [source, moving] = byPrimary[0]!;
    await source.admin.config('RESETSTAT');
    const [target] = byPrimary[1]!;
    for (const shard of moving) await markNow(open.queue, shard);

    const claims = new Map<string, number>();
    const problems: unknown[] = [];
    const moved = new AbortController();
    let number = 1;
    const work = async (shard: Shard) => {
      // The marker of the source counts on the target too, as long as the shard is not rebuilt for that one.
      const incarnation = await runOf(open.queue, shard);
      for (let round = 0; !moved.signal.aborted || round < 5; round++) {
        const ids = Array.from({ length: 5 }, (_, index) => `${String(shard.index)}-${String(round)}-${String(index)}`);
        try {
          await open.queue.enqueue(
            shard,
            ids.map((id) => ({ id, delayMillis: 0 })),
          );
          const firstNumber = number;
          number += 5;
          const notAfter = open.queue.serverNow() + 60_000;
          const reply = await open.queue.claim(shard, {
            max: 5,
            leaseMillis: 60_000,
            process: 'pod-1/a/',
            firstNumber,
            notAfter,
            incarnation,
          });
          if (reply.kind !== 'claimed') throw new Error(reply.kind);
          for (const { id } of reply.claimed) claims.set(id, (claims.get(id) ?? 0) + 1);
          await open.queue.finish(
            shard,
            reply.claimed.map(({ id, token }) => ({ id, token, next: 'gone' })),
          );
          if (reply.claimed.length !== 5) throw new Error(`claimed ${String(reply.claimed.length)} of 5`);
        } catch (error) {
          problems.push(error);
          return;
        }
      }
    };
    const workers = moving.slice(0, 8).map((shard) => work(shard));
    await cluster.moveSlots(
      moving.map((shard) => slotOf(own, shard)),
      target,
    );
    moved.abort();
    await Promise.all(workers);
    expect(problems).toEqual([]);
    expect([...claims.values()].every((count) => count === 1)).toBe(true);
    expect(claims.size).toBeGreaterThan(100);
    expect(await source.admin.info('errorstats')).toMatch(/errorstat_(?:MOVED|ASK|TRYAGAIN)/);
    await vi.waitFor(async () => {
      expect(await open.queue.count(moving)).toEqual({ ready: 0, inFlight: 0 });
    }, patience);
    // Everybody is told, and the shards are those of another server now.
    await vi.waitFor(() => {
      expect(open.changes()).toBeGreaterThan(0);
      expect(open.queue.incarnationOf(moving[0]!)).toBe(open.queue.incarnationOf(byPrimary[1]![1][0]!));
    }, patience);
  });
});

describe('replicas', () => {
  it('run no script, also while the connections to primaries are cut', async () => {
    const own = settings();
    const open = await openQueue(own);
    const primaries = new Set((await shardsOf(own)).keys());
    const replicas = cluster.nodes.filter((node) => !primaries.has(node));
    expect(replicas).toHaveLength(3);
    await Promise.all(cluster.nodes.map((node) => node.admin.config('RESETSTAT')));
    let refused = 0;
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        [...primaries].map((node) => node.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
      );
      for (let again = 0; again < 10; again++) {
        refused += shards.length - (await served(open, shards));
        await pause(5);
      }
    }
    expect(refused).toBeGreaterThan(0);
    for (const replica of replicas) expect(await scriptCalls(replica)).toBe(0);
    for (const primary of primaries) expect(await scriptCalls(primary)).toBeGreaterThan(0);
  });
});

describe('a script', () => {
  it.each(Object.entries(scripts))('is refused by a replica that would answer reads: %s', async (_, script) => {
    const [key] = Object.values(new Keyspace('test', 'pods').shard(shards[0]!).names) as [string];
    const primary = await cluster.primaryOf(slotOfKey(key));
    const [replica] = await cluster.replicasOf(primary);
    await replica!.admin.readonly();
    const keys = Array.from({ length: script.numberOfKeys ?? 4 }, () => key);
    await expect(replica!.admin.eval('return 1', 1, key)).resolves.toBe(1);
    await expect(replica!.admin.eval(script.lua, keys.length, ...keys, '1', '1', '1', '1')).rejects.toThrow(/MOVED/);
  });
});

describe('a cluster', () => {
  it('gets its scripts again after SCRIPT FLUSH', async () => {
    const open = await openQueue(settings());
    await Promise.all(shards.map((shard) => markNow(open.queue, shard)));
    await Promise.all(cluster.nodes.map((node) => node.admin.script('FLUSH')));
    expect(await served(open, shards)).toBe(shards.length);
  });

  it('is shown the password by every connection', async () => {
    const configure = (name: string, value: string) =>
      Promise.all(cluster.nodes.map((node) => node.admin.config('SET', name, value)));
    await configure('masterauth', 'secret');
    await configure('requirepass', 'secret');
    try {
      const open = await openQueue(settings({ password: 'secret' }));
      expect(await served(open, shards)).toBe(shards.length);
      await open.queue.ring('pod-1/a', { delayMillis: 0, members: true });
      await vi.waitFor(() => {
        expect(open.rings).toHaveLength(1);
      }, patience);
      const refused = refusedQueue(settings({ password: 'wrong' }), 'pod-2/b');
      await vi.waitFor(async () => {
        await expect(refused.queue.count(shards)).rejects.toThrow(/WRONGPASS/);
      }, patience);
    } finally {
      await configure('requirepass', '');
      await configure('masterauth', '');
    }
  });

  it('that was away as a whole is found again', async () => {
    const own = settings();
    const open = await openQueue(own);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await vi.waitFor(async () => {
      expect(await served(open, shards)).toBe(0);
    }, patience);
    await pause(6000);
    await Promise.all(cluster.nodes.map((node) => node.run()));
    await vi.waitFor(async () => {
      expect(await served(open, shards)).toBe(shards.length);
    }, patience);
    await vi.waitFor(() => {
      expect(open.changes()).toBeGreaterThan(0);
      expect(shards.every((shard) => open.queue.incarnationOf(shard) !== undefined)).toBe(true);
    }, patience);
  });

  it('costs little while idle', async () => {
    await openQueue(settings());
    await Promise.all(cluster.nodes.map((node) => node.admin.config('RESETSTAT')));
    await pause(idleMillis);
    const calls = (await Promise.all(cluster.nodes.map((node) => commandCalls(node)))).flatMap((each) => [...each]);
    // Replicas and primaries talk to each other, and the test itself resets and reads.
    const own = calls.filter(([name]) => !['ping', 'replconf', 'psync', 'config|resetstat'].includes(name));
    const perSecond = own.reduce((sum, [, count]) => sum + count, 0) / (idleMillis / 1000);
    expect(perSecond).toBeLessThan(3);
  });
});
