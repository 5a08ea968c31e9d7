import { describe, expect, it } from 'vitest';
import { QueueUnavailable } from '../../src/ports/queue.ts';
import type { ShardQueueListener } from '../../src/ports/shard-queue.ts';
import { ShardQueueServer } from '../../simulator/queue/shard-queue-server.ts';
import { VirtualClock } from '../../simulator/virtual-clock.ts';
import { describeShardQueue } from './shard-queue-contract.ts';
import { claim, incarnation, item, Processes, request, shard, sortedIds } from './shard-queue/bench.ts';

describeShardQueue('the shared queue server in memory', () => {
  const clock = new VirtualClock();
  const server = new ShardQueueServer(clock);
  return Promise.resolve({
    connect: () => server.connect(),
    pass: (millis) => clock.advance(millis),
    lose: (from, part) => {
      server.loseKey(from, part);
      return Promise.resolve();
    },
    close: () => {
      expect(clock.pending).toBe(0);
      return Promise.resolve();
    },
  });
});

describe('faults of the shared queue server in memory', () => {
  async function start() {
    const clock = new VirtualClock();
    const server = new ShardQueueServer(clock);
    const processes = new Processes({
      connect: () => server.connect(),
      pass: (millis) => clock.advance(millis),
      lose: () => Promise.resolve(),
      close: () => Promise.resolve(),
    });
    const one = await processes.open('pod-1/a');
    await one.queue.mark(shard, incarnation);
    await one.queue.enqueue(shard, [item('a'), item('b'), item('c')]);
    return { clock, server, one };
  }
  const listener = (told: string[]): ShardQueueListener => ({ rung: () => undefined, changed: () => told.push('!') });

  it('wipes everything, markers and members too', async () => {
    const { server, one } = await start();
    await one.queue.heartbeat('{}', 1000);
    server.wipe();
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
    expect(await one.queue.claim(shard, request(one))).toEqual({ kind: 'unmarked' });
    const other = server.connect();
    await other.open('pod-2/b', listener([]));
    expect((await other.heartbeat('{}', 1000)).members).toHaveLength(1);
  });

  it('wipes one shard', async () => {
    const { server, one } = await start();
    const other = { count: 64, index: 1 };
    await one.queue.enqueue(other, [item('kept')]);
    server.wipeShard(shard);
    expect(await one.queue.claim(shard, request(one))).toEqual({ kind: 'unmarked' });
    expect(await one.queue.count([shard, other])).toEqual({ ready: 1, inFlight: 0 });
  });

  it('loses ids that are ready or in flight, and keeps the marker', async () => {
    const { server, one } = await start();
    await claim(one, { max: 1 });
    server.lose((id, { index }) => index === shard.index && id !== 'c');
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 0 });
    expect(sortedIds(await claim(one))).toEqual(['c']);
  });

  it('loses members, or what they say of themselves', async () => {
    const { server, one } = await start();
    await one.queue.heartbeat('"one"', 1000);
    const other = server.connect();
    await other.open('pod-2/b', listener([]));
    await other.heartbeat('"two"', 1000);
    server.loseMembers('infos');
    const { members, joined } = await other.heartbeat('"two"', 1000);
    expect(members).toMatchObject([{ info: '{}' }, { info: '"two"' }]);
    expect(joined).toBe(false);
    server.loseMembers();
    expect(await other.heartbeat('"two"', 1000)).toMatchObject({ members: [{ id: 'pod-2/b' }], joined: true });
  });

  it('runs under another incarnation after a restart, with or without its data', async () => {
    const { server, one } = await start();
    const told: string[] = [];
    await server.connect().open('pod-2/b', listener(told));
    const before = one.queue.incarnationOf(shard);
    server.restart(true);
    expect(told).toEqual(['!']);
    expect(one.queue.incarnationOf(shard)).not.toBe(before);
    expect(await one.queue.count([shard])).toEqual({ ready: 3, inFlight: 0 });
    server.restart();
    expect(told).toEqual(['!', '!']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('throws while it is stopped', async () => {
    const { server, one } = await start();
    server.stop();
    await expect(one.queue.enqueue(shard, [item('d')])).rejects.toBeInstanceOf(QueueUnavailable);
    await expect(one.queue.count([shard])).rejects.toBeInstanceOf(QueueUnavailable);
    server.restart(true);
    expect(await one.queue.count([shard])).toEqual({ ready: 3, inFlight: 0 });
  });

  it('has a clock of its own', async () => {
    const { clock, server, one } = await start();
    await claim(one, { leaseMillis: 1000 });
    server.skewMillis = 60_000;
    expect(one.queue.serverNow()).toBe(clock.now() + 60_000);
    // For the server the leases are over.
    expect(sortedIds(await claim(one, { firstNumber: 4 }))).toEqual(['a', 'b', 'c']);
    server.skewMillis = 0;
    expect(await one.queue.claim(shard, request(one, { notAfter: clock.now() - 1 }))).toEqual({ kind: 'late' });
  });

  it('counts commands by kind', async () => {
    const { server, one } = await start();
    await claim(one);
    await claim(one);
    expect(Object.fromEntries(server.commands)).toEqual({ mark: 1, enqueue: 1, claim: 2 });
  });
});
