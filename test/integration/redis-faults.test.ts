/** Faults of one server, and of the link to it. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QueueUnavailable } from '../../src/ports/queue.ts';
import { Keyspace } from '../../src/queue/redis/keyspace.ts';
import { freePorts } from '../servers/free-ports.ts';
import { HalfOpenProxy } from '../servers/half-open-proxy.ts';
import { RedisServer } from '../servers/redis.ts';
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
  standaloneAt,
} from './redis-queues.ts';

/** How long commands are counted while nothing happens: three looks at the server. */
const idleMillis = 6000;

const shard = { count: 64, index: 7 };
let server: RedisServer;

beforeEach(async () => {
  server = await RedisServer.start();
});

afterEach(async () => {
  await server.close();
});

/** Starts the test's server with other directives. */
async function restartWith(directives: Readonly<Record<string, string>>): Promise<void> {
  await server.close();
  server = await RedisServer.start({ directives });
}

describe('a server that dies', () => {
  it('is refused at once, and answers as another run when it is back, without its data', async () => {
    const { queue, changes } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    const before = await runOf(queue, shard);
    await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }]);
    await server.kill();
    await vi.waitFor(() => {
      expect(queue.incarnationOf(shard)).toBeUndefined();
    }, patience);
    await expect(queue.enqueue(shard, [{ id: 'b', delayMillis: 0 }])).rejects.toThrow(/enqueue/);
    await expect(queue.enqueue(shard, [{ id: 'b', delayMillis: 0 }])).rejects.toBeInstanceOf(QueueUnavailable);
    expect(changes()).toBe(0);

    await server.run();
    await vi.waitFor(() => {
      expect(changes()).toBe(1);
    }, patience);
    expect(queue.incarnationOf(shard)).not.toBe(before);
    expect(await claimNow(queue, shard)).toEqual({ kind: 'unmarked' });
    expect(await queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('answers as another run also when it kept its data', async () => {
    await restartWith({ appendonly: 'yes', appendfsync: 'always' });
    const { queue, changes } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }]);
    await server.kill();
    await server.run();
    await vi.waitFor(() => {
      expect(changes()).toBe(1);
    }, patience);
    expect(await queue.count([shard])).toEqual({ ready: 1, inFlight: 0 });
    expect(await claimNow(queue, shard)).toEqual({ kind: 'unmarked' });
  });

  it('rings again when it is back', async () => {
    const { queue, rings, changes } = await openQueue(settingsFor(standaloneAt(server.port)));
    await server.kill();
    await server.run();
    await vi.waitFor(() => {
      expect(changes()).toBe(1);
    }, patience);
    await queue.ring('pod-1/a', { shard, delayMillis: 0 });
    await vi.waitFor(() => {
      expect(rings).toEqual([{ shard, delayMillis: 0 }]);
    }, patience);
  });

  it('need not be there at first', async () => {
    await server.kill();
    const { queue, changes, errors } = await openQueue(settingsFor(standaloneAt(server.port)));
    await expect(queue.count([shard])).rejects.toThrow(/ECONNREFUSED/);
    expect(errors.length).toBeGreaterThan(0);
    expect(queue.incarnationOf(shard)).toBeUndefined();
    await server.run();
    await vi.waitFor(() => {
      expect(changes()).toBe(1);
    }, patience);
    expect(await queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });
});

describe('a server that is demoted', () => {
  it('serves no claims until it is promoted, as another run', async () => {
    const { queue, changes } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    const before = await runOf(queue, shard);
    const [deadPort] = await freePorts(1);
    await server.admin.replicaof('127.0.0.1', deadPort!);
    await expect(queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).rejects.toThrow(/READONLY/);
    await vi.waitFor(() => {
      expect(queue.incarnationOf(shard)).toBeUndefined();
    }, patience);
    await server.admin.replicaof('NO', 'ONE');
    await vi.waitFor(() => {
      expect(changes()).toBeGreaterThan(0);
    }, patience);
    expect(await runOf(queue, shard)).not.toBe(before);
    expect(await claimNow(queue, shard)).toEqual({ kind: 'unmarked' });
  });
});

describe('a server that forgets', () => {
  it('has no markers after FLUSHALL, and the members are new', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    await queue.heartbeat('{}', 60_000);
    const before = queue.incarnationOf(shard);
    await server.admin.flushall();
    expect(await claimNow(queue, shard)).toEqual({ kind: 'unmarked' });
    expect(queue.incarnationOf(shard)).toBe(before);
    expect((await queue.heartbeat('{}', 60_000)).joined).toBe(true);
  });

  it('gets its scripts again after SCRIPT FLUSH', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    for (let round = 0; round < 3; round++) {
      await server.admin.script('FLUSH');
      await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }]);
      expect(await claimNow(queue, shard)).toMatchObject({ claimed: [{ id: 'a' }] });
      await queue.finish(shard, [{ id: 'a', token: 'pod-1/a/1', next: 'gone' }]);
    }
    expect(await queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('is sent the text of a script that it refused once', async () => {
    // Like a server that answers MOVED or TRYAGAIN: it has seen the text, and keeps nothing of it.
    const refuse = async (rule: string) => server.admin.call('ACL', 'SETUSER', 'default', rule);
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    await runOf(queue, shard);
    const rings = () => [1, 2, 3].map((n) => queue.ring(`pod-${String(n)}/a`, { shard, delayMillis: 0 }));
    await refuse('-eval');
    for (const refused of await Promise.allSettled(rings())) {
      expect(refused).toMatchObject({ reason: { message: expect.stringMatching(/NOPERM/) as string } });
    }
    await refuse('+eval');
    await Promise.all(rings());
  });

  it('hands over again what was in flight when it evicted the leases, unless its holder renews it in time', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    await queue.enqueue(shard, [
      { id: 'a', delayMillis: 0 },
      { id: 'b', delayMillis: 0 },
    ]);
    await claimNow(queue, shard, 1);
    const [inflight] = await server.admin.keys('*:inflight');
    await server.admin.del(inflight!);
    expect(await claimNow(queue, shard, 10, 2, 1_000)).toMatchObject({ claimed: [{ id: 'b' }] });
    // The claim that notices gives it a lease anew.
    await pause(1_050);
    expect(await claimNow(queue, shard, 1, 3)).toMatchObject({ claimed: [{ id: 'a' }] });
  });
});

describe('a server that hangs', () => {
  it('is given up within the time for commands, and served again afterwards', async () => {
    const { queue, changes } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    server.pause();
    await expect(queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).rejects.toBeInstanceOf(QueueUnavailable);
    await vi.waitFor(() => {
      expect(queue.incarnationOf(shard)).toBeUndefined();
    }, patience);
    server.resume();
    await vi.waitFor(() => {
      expect(changes()).toBeGreaterThan(0);
    }, patience);
    // The same run, with its data: no shard needs to be rebuilt.
    expect((await claimNow(queue, shard)).kind).toBe('claimed');
  });

  it('does nothing for a claim that it reads too late', async () => {
    const settings = settingsFor(standaloneAt(server.port));
    const { queue } = await openQueue(settings);
    await markNow(queue, shard);
    await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }]);
    server.pause();
    const notAfter = queue.serverNow() + 100;
    const incarnation = queue.incarnationOf(shard)!;
    const claim = { max: 1, leaseMillis: 60_000, process: 'pod-1/a/', firstNumber: 1, notAfter, incarnation };
    await expect(queue.claim(shard, claim)).rejects.toBeInstanceOf(QueueUnavailable);
    server.resume();
    const other = await openQueue(settings, 'pod-2/b');
    expect(await other.queue.count([shard])).toEqual({ ready: 1, inFlight: 0 });
  });
});

describe('a link that is cut or half open', () => {
  let proxy: HalfOpenProxy;
  beforeEach(async () => {
    proxy = await HalfOpenProxy.start(server.port);
  });
  afterEach(() => proxy.close());

  it('is given up, and made anew when it is whole again, bell included', async () => {
    const { queue, rings, changes } = await openQueue(settingsFor(standaloneAt(proxy.port)));
    await markNow(queue, shard);
    proxy.swallow('everything');
    await expect(queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }])).rejects.toBeInstanceOf(QueueUnavailable);
    await vi.waitFor(() => {
      expect(queue.incarnationOf(shard)).toBeUndefined();
    }, patience);
    proxy.heal();
    await vi.waitFor(() => {
      expect(changes()).toBeGreaterThan(0);
    }, patience);
    await queue.ring('pod-1/a', { shard, delayMillis: 7 });
    await vi.waitFor(() => {
      expect(rings).toEqual([{ shard, delayMillis: 7 }]);
    }, patience);
  });

  it('sends nothing twice, whenever it is cut', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(proxy.port)));
    await markNow(queue, shard);
    await server.admin.config('RESETSTAT');
    let sent = 0;
    let refused = 0;
    for (let round = 0; round < 30; round++) {
      const calls = Array.from({ length: 20 }, (_, index) => {
        sent++;
        return queue.enqueue(shard, [{ id: `id-${String(round)}-${String(index)}`, delayMillis: 0 }]);
      });
      const settled = Promise.allSettled(calls);
      if (round % 3 === 0) proxy.cut();
      if (round % 3 === 1) {
        // The commands arrive, their answers do not.
        proxy.swallow('answers');
        await pause(20);
        proxy.heal();
      }
      refused += (await settled).filter(({ status }) => status === 'rejected').length;
      await runOf(queue, shard);
    }
    expect(refused).toBeGreaterThan(0);
    expect(await scriptCalls(server)).toBeLessThanOrEqual(sent);
  });
});

describe('what operators see', () => {
  it('says so when the password is wrong', async () => {
    await restartWith({ requirepass: 'right' });
    const { queue, errors } = refusedQueue(settingsFor(standaloneAt(server.port), { password: 'wrong' }));
    await vi.waitFor(() => {
      expect(errors.at(-1)?.message).toMatch(/WRONGPASS/);
    }, patience);
    await vi.waitFor(async () => {
      await expect(queue.count([shard])).rejects.toThrow(/WRONGPASS/);
    }, patience);
  });

  it.each(['volatile-lru', 'noeviction'])('notices the policy %s', async (policy) => {
    await server.admin.config('SET', 'maxmemory-policy', policy);
    const { queue, policies } = await openQueue(settingsFor(standaloneAt(server.port)));
    expect(policies).toEqual([policy]);
    expect(queue.evictionPolicy).toBe(policy);
  });

  it('notices that the policy changes', async () => {
    const { policies } = await openQueue(settingsFor(standaloneAt(server.port)));
    await server.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000);
    await vi.waitFor(() => {
      expect(policies).toEqual(['noeviction', 'allkeys-lru']);
    }, patience);
  });

  it('ends claims while memory is full, and refuses to add', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    await markNow(queue, shard);
    await queue.enqueue(shard, [{ id: 'a', delayMillis: 0 }]);
    await server.admin.config('SET', 'maxmemory', '1');
    await expect(queue.enqueue(shard, [{ id: 'b', delayMillis: 0 }])).rejects.toThrow(/OOM/);
    expect(await claimNow(queue, shard)).toMatchObject({ claimed: [{ id: 'a' }] });
    await queue.finish(shard, [{ id: 'a', token: 'pod-1/a/1', next: 'gone' }]);
    expect(await queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('keeps nothing but markers and members when everything is finished', async () => {
    const settings = settingsFor(standaloneAt(server.port));
    const { queue } = await openQueue(settings);
    const gone = await openQueue(settings, 'pod-2/b');
    await markNow(queue, shard);
    await Promise.all([queue.heartbeat('{}', 100), gone.queue.heartbeat('{}', 100)]);
    const items = Array.from({ length: 300 }, (_, index) => ({ id: `id-${String(index)}`, delayMillis: 0 }));
    await queue.enqueue(shard, items);
    const reply = await claimNow(queue, shard, 300);
    if (reply.kind !== 'claimed') throw new Error(reply.kind);
    await queue.enqueue(shard, items.slice(0, 10));
    await queue.finish(
      shard,
      reply.claimed.map(({ id, token }) => ({ id, token, next: 'gone' })),
    );
    const again = await claimNow(queue, shard, 300, 301);
    if (again.kind !== 'claimed') throw new Error(again.kind);
    expect(again.claimed).toHaveLength(10);
    await queue.finish(
      shard,
      again.claimed.map(({ id, token }) => ({ id, token, next: 'gone' })),
    );
    await gone.queue.close();
    await gone.queue.ring('pod-1/a', { delayMillis: 0 }).catch((error: unknown) => {
      expect(error).toBeInstanceOf(QueueUnavailable);
    });
    await queue.ring('pod-2/b', { shard, delayMillis: 0 });
    const [bell] = await server.admin.keys('*:bell:pod-2/b*');
    expect(await server.admin.pttl(bell!)).toBeGreaterThan(0);
    await server.admin.pexpire(bell!, 1);
    await pause(150);
    expect((await queue.heartbeat('{}', 100)).members.map(({ id }) => id)).toEqual(['pod-1/a']);
    const { keyPrefix, membershipKey } = settings;
    expect((await server.admin.keys('*')).toSorted()).toEqual(
      [`{${keyPrefix}:vs-64-0007}:marker`, `{${membershipKey}}:info`, membershipKey].toSorted(),
    );
    expect(await server.admin.hlen(`{${membershipKey}}:info`)).toBe(1);
    await queue.leave();
    expect(await server.admin.keys('*')).toEqual([`{${keyPrefix}:vs-64-0007}:marker`]);
  });

  it('keeps few rings for a member that does not listen', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    const rings = Array.from({ length: 3000 }, (_, index) => ({ delayMillis: 3000 - index, id: String(index) }));
    await Promise.all(rings.map((ring) => queue.ring('pod-2/b', ring)));
    const [bell] = await server.admin.keys('*:bell:pod-2/b*');
    expect(await server.admin.zcard(bell!)).toBe(1024);
    // What is due first stays.
    expect(await server.admin.zrange(bell!, '0', '0')).toEqual(['....2999']);
    expect(await server.admin.pttl(bell!)).toBeGreaterThan(0);
  });

  it('costs an idle server few commands', async () => {
    await openQueue(settingsFor(standaloneAt(server.port)));
    await server.admin.config('RESETSTAT');
    await pause(idleMillis);
    const calls = [...(await commandCalls(server))];
    const perSecond = calls.reduce((sum, [, count]) => sum + count, 0) / (idleMillis / 1000);
    expect(perSecond).toBeLessThan(3);
  });
});

describe('steps of several shards in one script', () => {
  const other = { count: 64, index: 8 };

  it('cost the server one command', async () => {
    const { queue } = await openQueue(settingsFor(standaloneAt(server.port)));
    const shards = Array.from({ length: 50 }, (_, index) => ({ count: 64, index }));
    const before = await scriptCalls(server);
    await Promise.all(shards.map((each) => queue.enqueue(each, [{ id: `id-${String(each.index)}`, delayMillis: 0 }])));
    expect(await scriptCalls(server)).toBe(before + 1);
    const count = await queue.count(shards);
    expect(count).toEqual({ ready: 50, inFlight: 0 });
  });

  it('fail alone: one broken key keeps no other shard from being served', async () => {
    const settings = settingsFor(standaloneAt(server.port));
    const { queue } = await openQueue(settings);
    const { ready, inflight, claims } = new Keyspace(settings.keyPrefix, settings.membershipKey).shard(shard).names;
    await markNow(queue, shard);
    await markNow(queue, other);
    for (const key of [ready, inflight, claims]) await server.admin.set(key, 'broken');
    const item = { id: 'a', delayMillis: 0 };
    const held = { id: 'a', token: 'pod-1/a/1' };
    const incarnation = await runOf(queue, other);
    const request = { process: 'pod-1/a/', firstNumber: 1, leaseMillis: 1000, incarnation };
    await Promise.all([
      expect(queue.enqueue(shard, [item])).rejects.toThrow(/enqueue.*WRONGTYPE/),
      expect(queue.enqueue(other, [item])).resolves.toEqual([]),
    ]);
    await Promise.all([
      expect(queue.claimEach(shard, ['a'], request)).rejects.toThrow(/claimEach.*WRONGTYPE/),
      expect(queue.claimEach(other, ['a'], request)).resolves.toEqual([true]),
    ]);
    await Promise.all([
      expect(queue.finish(shard, [{ ...held, next: 'gone' }])).rejects.toThrow(/finish.*WRONGTYPE/),
      expect(queue.finish(other, [{ ...held, next: 'gone' }])).resolves.toBe(0),
    ]);
    expect(await queue.count([other])).toEqual({ ready: 0, inFlight: 0 });
  });
});
