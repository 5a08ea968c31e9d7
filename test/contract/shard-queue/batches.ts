import { expect, it } from 'vitest';
import { QueueUnavailable } from '../../../src/ports/queue.ts';
import type { Held, ShardClaimed } from '../../../src/ports/shard-queue.ts';
import type { ShardWorld } from '../shard-queue-contract.ts';
import {
  claim,
  claimReply,
  ids,
  incarnation,
  item,
  lease,
  request,
  shard,
  sortedIds,
  renewed,
  claimOne,
} from './bench.ts';

/** More than any one step of a server should take, and ids that no one would choose. */
export function describeBatches(world: () => ShardWorld): void {
  const many = Array.from({ length: 5000 }, (_, index) => `id-${String(index).padStart(5, '0')}`);

  /** Claims until nothing more is due. */
  async function claimAll(): Promise<readonly ShardClaimed[]> {
    const all: ShardClaimed[] = [];
    for (;;) {
      const reply = await claimReply(world().one, { max: 10_000, firstNumber: all.length + 1 });
      all.push(...reply.claimed);
      if ((reply.nextDelayMillis ?? 1) > 0) return all;
      expect(reply.claimed.length).toBeGreaterThan(0);
    }
  }

  it('takes batches of any size', async () => {
    const { one } = world();
    const items = many.map((id) => item(id));
    expect(await one.queue.enqueue(shard, items)).toEqual([]);
    const claimed = await claimAll();
    expect(sortedIds(claimed)).toEqual(many);
    expect(new Set(claimed.map(({ token }) => token)).size).toBe(many.length);

    const held: readonly Held[] = claimed.map(({ id, token }) => ({ id, token }));
    expect(await one.queue.enqueue(shard, items)).toHaveLength(many.length);
    const lost = { id: many[0]!, token: 'pod-2/b/1' };
    expect(await one.queue.renew(shard, one.name, renewed([...held, lost]), lease, 1_000_000)).toEqual({
      lost: [lost],
      revived: [],
    });
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: many.length });

    // Everything but the first ten is an orphan now.
    expect(await one.queue.renew(shard, one.name, renewed(held.slice(0, 10)), lease, 1_000_000)).toEqual({
      lost: [],
      revived: [],
    });
    expect(await one.queue.count([shard])).toEqual({ ready: many.length - 10, inFlight: 10 });
    expect(await one.queue.restore(shard, [...items, item('absent')])).toEqual(['absent']);
    expect(await one.queue.count([shard])).toEqual({ ready: many.length - 9, inFlight: 10 });
  });

  it('ends batches of any size', async () => {
    const { one } = world();
    await one.queue.enqueue(
      shard,
      many.map((id) => item(id)),
    );
    const claimed = await claimAll();
    await one.queue.finish(
      shard,
      claimed.map(({ id, token }, index) => ({ id, token, next: index % 2 === 0 ? 'gone' : 50_000 })),
    );
    expect(await one.queue.count([shard])).toEqual({ ready: many.length / 2, inFlight: 0 });
  });

  it('takes empty batches', async () => {
    const { one } = world();
    expect(await one.queue.enqueue(shard, [])).toEqual([]);
    expect(await one.queue.restore(shard, [])).toEqual([]);
    expect(await one.queue.renew(shard, one.name, [], lease, 0)).toEqual({ lost: [], revived: [] });
    await one.queue.finish(shard, []);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('takes any id', async () => {
    const { one, two } = world();
    const odd = ['007', '-1', '1e3', ' ', 'a b', 'ä€😀', '{x}:y', 'line\nbreak', '__proto__', '!a', 'x'.repeat(300)];
    await one.queue.enqueue(
      shard,
      odd.map((id) => item(id)),
    );
    const claimed = await claim(one, { max: 100 });
    expect(sortedIds(claimed)).toEqual(odd.toSorted());
    const marked = await two.queue.enqueue(
      shard,
      odd.map((id) => item(id)),
    );
    expect(ids(marked)).toEqual(odd);
    expect(await one.queue.renew(shard, one.name, renewed(claimed), lease, 0)).toEqual({ lost: [], revived: [] });
    await one.queue.finish(
      shard,
      claimed.map(({ id, token }) => ({ id, token, next: 'gone' })),
    );
    expect(sortedIds(await claim(two, { max: 100 }))).toEqual(odd.toSorted());
  });

  it('takes fractions of milliseconds', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', 0.4), item('b', 50_000.7), item('c', -0.5)]);
    const [first] = await claim(one, { leaseMillis: lease + 0.5, notAfter: one.queue.serverNow() + 5000.25 });
    expect(first!.id).toBe('c');
    await one.queue.finish(shard, [{ ...first!, next: 10_000.5 }]);
  });

  it('throws before it is open and after it is closed; its claims stay', async () => {
    const { one, two, processes } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await claim(one);
    await one.queue.close();
    await one.queue.close();
    const refused = [
      () => one.queue.claim(shard, request(two)),
      () => claimOne(one, shard, { id: 'a', token: 'pod-1/a/1' }, lease, incarnation),
      () => one.queue.enqueue(shard, [item('b')]),
      () => one.queue.finish(shard, [{ id: 'a', token: 'pod-1/a/1', next: 'gone' }]),
      () => one.queue.renew(shard, one.name, [], lease, 0),
      () => one.queue.restore(shard, [item('b')]),
      () => one.queue.mark(shard, 'other'),
      () => one.queue.drop(shard),
      () => one.queue.count([shard]),
      () => one.queue.heartbeat('{}', 1000),
      () => one.queue.leave(),
      () => one.queue.ring('pod-2/b', { delayMillis: 0 }),
    ];
    for (const call of refused) await expect(call()).rejects.toBeInstanceOf(QueueUnavailable);
    expect(await two.queue.count([shard])).toEqual({ ready: 0, inFlight: 1 });
    const three = await processes.open('pod-3/c');
    expect(await claim(three)).toEqual([]);
  });

  it('knows the server and its clock', async () => {
    const { one, two } = world();
    await one.queue.count([shard]);
    expect(one.queue.incarnationOf(shard)).toMatch(/./);
    expect(one.queue.incarnationOf(shard)).toBe(two.queue.incarnationOf(shard));
    const before = one.queue.serverNow();
    await world().pass(50);
    expect(one.queue.serverNow()).toBeGreaterThan(before);
  });
}
