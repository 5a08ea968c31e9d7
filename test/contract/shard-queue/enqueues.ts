import { expect, it } from 'vitest';
import type { ShardWorld } from '../shard-queue-contract.ts';
import { claim, claimReply, claimSingle, ids, item, request, shard, sortedIds } from './bench.ts';

/** Adding ids, and bringing back those that were lost. */
export function describeEnqueues(world: () => ShardWorld): void {
  it.each(['enqueue', 'restore'] as const)(
    '%s moves an id to an earlier time, never to a later one',
    async (method) => {
      const { one } = world();
      await one.queue[method](shard, [item('a', 50_000), item('b', 50_000)]);
      await one.queue[method](shard, [item('a')]);
      await one.queue[method](shard, [item('a', 50_000), item('b', 90_000)]);
      const { claimed, nextDelayMillis } = await claimReply(one);
      expect(ids(claimed)).toEqual(['a']);
      expect(nextDelayMillis).toBeLessThanOrEqual(50_000);
    },
  );

  it.each(['enqueue', 'restore'] as const)('%s takes the earliest of several times', async (method) => {
    const { one } = world();
    await one.queue[method](shard, [item('a', 50_000), item('a'), item('a', 20_000)]);
    expect(ids(await claim(one))).toEqual(['a']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 1 });
  });

  it('answers the holders of ids in flight, each with its token', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a', -2), item('b', -1)]);
    const [a] = await claim(one, { max: 1 });
    const [b] = await claim(two, { firstNumber: 7 });
    const held = await two.queue.enqueue(shard, [item('b'), item('new'), item('a')]);
    expect(held).toEqual([
      { id: 'b', token: b!.token },
      { id: 'a', token: a!.token },
    ]);
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 2 });
    // Asked again, the answer is the same.
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([{ id: 'a', token: a!.token }]);
  });

  it('leaves an id in flight to its holder when it is due later', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a')]);
    const held = await claimSingle(one);
    expect(await two.queue.enqueue(shard, [item('a', 50_000)])).toEqual([]);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('restores what is absent and says what that was', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('held'), item('parked', 50_000)]);
    const held = await claimSingle(one);
    expect(await one.queue.restore(shard, [item('held'), item('parked'), item('x', -5), item('y', 50_000)])).toEqual([
      'x',
      'y',
    ]);
    expect(sortedIds(await claim(one, { firstNumber: 2 }))).toEqual(['parked', 'x']);
    // A look into the store is no reason to look again: the holder of the claim is at it.
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(await one.queue.restore(shard, [item('y')])).toEqual([]);
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 2 });
  });

  it('restores into a shard that is not marked', async () => {
    const { one } = world();
    const other = { count: 64, index: 11 };
    expect(await one.queue.restore(other, [item('a'), item('b')])).toEqual(['a', 'b']);
    expect(await one.queue.restore(other, [item('a'), item('c')])).toEqual(['c']);
  });

  it('counts shards together', async () => {
    const { one } = world();
    const other = { count: 64, index: 63 };
    await one.queue.enqueue(shard, [item('a'), item('b', 50_000)]);
    await one.queue.enqueue(other, [item('c')]);
    await claimSingle(one);
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 1 });
    expect(await one.queue.count([shard, other, { count: 64, index: 1 }])).toEqual({ ready: 2, inFlight: 1 });
    expect(await one.queue.count([])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('drops a shard with everything in it', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a'), item('b', 50_000), item('c', -5)]);
    await claimSingle(one, { max: 1 });
    await one.queue.drop(shard);
    await one.queue.drop(shard);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
    expect(await one.queue.claim(shard, request(one))).toEqual({ kind: 'unmarked' });
  });

  it('does what is asked in one turn in its order', async () => {
    const { one } = world();
    const held = { id: 'a', token: `${one.name}1` };
    const [, first, , second] = await Promise.all([
      one.queue.enqueue(shard, [item('a')]),
      claim(one),
      one.queue.finish(shard, [{ ...held, next: 50_000 }]),
      claim(one),
      one.queue.enqueue(shard, [item('a')]),
    ]);
    expect(ids(first)).toEqual(['a']);
    expect(second).toEqual([]);
    expect(ids(await claim(one))).toEqual(['a']);
  });
}
