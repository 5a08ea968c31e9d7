import { expect, it, vi } from 'vitest';
import type { Ring } from '../../../src/ports/shard-queue.ts';
import type { ShardWorld } from '../shard-queue-contract.ts';
import { shard, shortLease } from './bench.ts';

/** Who is in the cluster, and how its members wake each other. */
export function describeMembers(world: () => ShardWorld): void {
  it('answers every member that was heard of, in the order of their ids', async () => {
    const { one, two } = world();
    const first = await two.queue.heartbeat('{"shards":64}', 60_000);
    expect(first.members).toMatchObject([{ id: 'pod-2/b', info: '{"shards":64}' }]);
    const { members } = await one.queue.heartbeat('{"name":"ä \\"quoted\\""}', 60_000);
    expect(members.map(({ id, info }) => ({ id, info }))).toEqual([
      { id: 'pod-1/a', info: '{"name":"ä \\"quoted\\""}' },
      { id: 'pod-2/b', info: '{"shards":64}' },
    ]);
    for (const { ageMillis } of members) {
      expect(ageMillis).toBeGreaterThanOrEqual(0);
      expect(ageMillis).toBeLessThan(60_000);
    }
  });

  it('says how long ago a member was heard of, and what it said last', async () => {
    const { one, two, pass } = world();
    await one.queue.heartbeat('"before"', 60_000);
    await one.queue.heartbeat('"now"', 60_000);
    await pass(shortLease);
    const [first, second] = (await two.queue.heartbeat('"two"', 60_000)).members;
    expect(first).toMatchObject({ id: 'pod-1/a', info: '"now"' });
    expect(first!.ageMillis).toBeGreaterThanOrEqual(shortLease - 1);
    expect(second!.ageMillis).toBeLessThan(first!.ageMillis);
  });

  it('forgets a member that was not heard of for long', async () => {
    const { one, two, pass } = world();
    await one.queue.heartbeat('{}', shortLease);
    await pass(shortLease + 20);
    expect((await two.queue.heartbeat('{}', shortLease)).members.map(({ id }) => id)).toEqual(['pod-2/b']);
    expect((await one.queue.heartbeat('{}', 60_000)).members.map(({ id }) => id)).toEqual(['pod-1/a', 'pod-2/b']);
  });

  it('takes out a member that leaves, and takes it in again', async () => {
    const { one, two } = world();
    await one.queue.heartbeat('{}', 60_000);
    await two.queue.heartbeat('{}', 60_000);
    await one.queue.leave();
    await one.queue.leave();
    expect((await two.queue.heartbeat('{}', 60_000)).members.map(({ id }) => id)).toEqual(['pod-2/b']);
    expect((await one.queue.heartbeat('{}', 60_000)).members.map(({ id }) => id)).toEqual(['pod-1/a', 'pod-2/b']);
  });

  it('tells a member that it is new, or was forgotten', async () => {
    const { one, two, pass } = world();
    const joined = async (ttlMillis: number) => (await one.queue.heartbeat('{}', ttlMillis)).joined;
    expect(await joined(60_000)).toBe(true);
    expect(await joined(60_000)).toBe(false);
    expect((await two.queue.heartbeat('{}', 60_000)).joined).toBe(true);
    await one.queue.leave();
    expect(await joined(60_000)).toBe(true);
    await pass(shortLease + 20);
    expect(await joined(shortLease)).toBe(true);
    await pass(shortLease + 20);
    await two.queue.heartbeat('{}', shortLease);
    expect(await joined(60_000)).toBe(true);
    expect(await joined(60_000)).toBe(false);
  });

  it('takes in no member of another store, as long as members of the first one live', async () => {
    const { one, two, pass } = world();
    expect(await one.queue.heartbeat('"one"', shortLease, 'first')).toMatchObject({ joined: true, isForeign: false });
    expect(await two.queue.heartbeat('"two"', 60_000, 'second')).toMatchObject({
      joined: false,
      isForeign: true,
      members: [{ id: 'pod-1/a', info: '"one"' }],
    });
    expect(await one.queue.heartbeat('"one"', shortLease, 'first')).toMatchObject({
      joined: false,
      members: [{ id: 'pod-1/a' }],
    });
    await pass(shortLease + 20);
    expect(await two.queue.heartbeat('"two"', shortLease, 'second')).toMatchObject({ joined: true, isForeign: false });
    expect((await one.queue.heartbeat('"one"', shortLease, 'first')).isForeign).toBe(true);
    await two.queue.leave();
    expect((await one.queue.heartbeat('"one"', shortLease, 'first')).isForeign).toBe(false);
  });

  const rings: readonly Ring[] = [
    { shard, delayMillis: 0 },
    { shard: { count: 1024, index: 1023 }, delayMillis: 1500, hops: 1 },
    { shard, delayMillis: -5000 },
    { shard, delayMillis: 0, id: 'id with / and : and ä' },
    { shard, delayMillis: 0, id: 'a', lost: true },
    { delayMillis: 0, members: true },
    { shard, delayMillis: 0, id: 'a', members: true, hops: 2 },
  ];
  it.each(rings)('rings another member: %j', async (ring) => {
    const { one, two } = world();
    await one.queue.ring('pod-2/b', ring);
    await vi.waitFor(() => {
      expect(two.rings).toEqual([ring]);
    }, 5000);
    expect(one.rings).toEqual([]);
  });

  it('rings the own bell', async () => {
    const { one } = world();
    await one.queue.ring('pod-1/a', { shard, delayMillis: 0 });
    await vi.waitFor(() => {
      expect(one.rings).toEqual([{ shard, delayMillis: 0 }]);
    }, 5000);
  });

  it('passes on many rings from several at once', async () => {
    const { one, two } = world();
    const indexes = Array.from({ length: 50 }, (_, index) => index);
    await Promise.all(
      indexes.map((index) =>
        (index % 2 === 0 ? one : two).queue.ring('pod-2/b', { shard: { count: 64, index }, delayMillis: index }),
      ),
    );
    await vi.waitFor(() => {
      expect(new Set(two.rings.map((ring) => ring.shard?.index))).toEqual(new Set(indexes));
    }, 5000);
  });

  it('rings no process where none listens', async () => {
    const { one, two } = world();
    await two.queue.close();
    await one.queue.ring('pod-2/b', { shard, delayMillis: 0 });
    await one.queue.ring('never-there/x', { shard, delayMillis: 0 });
    expect([...one.rings, ...two.rings]).toEqual([]);
  });
}
