import { expect, it } from 'vitest';
import type { Held, ShardEnding } from '../../../src/ports/shard-queue.ts';
import type { ShardWorld } from '../shard-queue-contract.ts';
import { claim, claimReply, ids, incarnation, item, lease, renewed, shard, shortLease, claimOne } from './bench.ts';

/** An id keeps its place: whatever puts it back restores the time at which it became due. */
export function describePlaces(world: () => ShardWorld): void {
  /** `a` in flight under the first process, due for ten seconds; `b`, due for five, waits. */
  async function holdFirst(leaseMillis: number = lease): Promise<Held> {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', -10_000), item('b', -5_000)]);
    const [a] = await claim(one, { max: 1, leaseMillis });
    return { id: a!.id, token: a!.token };
  }

  /** What is due, the longest due first. */
  async function order(): Promise<readonly string[]> {
    return ids(await claim(world().two, { firstNumber: 100 }));
  }

  it.each([
    ['handed back', 'back', ['a', 'b']],
    ['that has used its turn', 0, ['b', 'a']],
  ] as const)('puts an id %s where it belongs', async (_, next, expected) => {
    const { one } = world();
    await one.queue.finish(shard, [{ ...(await holdFirst()), next }]);
    expect(await order()).toEqual(expected);
  });

  it('says for how long an id had been due that was handed back', async () => {
    const { one, two } = world();
    await one.queue.finish(shard, [{ ...(await holdFirst()), next: 'back' }]);
    const [a] = await claim(two, { max: 1 });
    expect(a!.lateMillis).toBeGreaterThanOrEqual(10_000);
    // And once more: the second claim remembers it, too.
    await two.queue.finish(shard, [{ ...a!, next: 'back' }]);
    const [again] = await claim(one, { max: 1, firstNumber: 2 });
    expect(again!.lateMillis).toBeGreaterThanOrEqual(10_000);
  });

  it('puts an id in its place when its lease is over', async () => {
    const { pass } = world();
    await holdFirst(shortLease);
    await pass(shortLease + 20);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('puts an orphan in its place', async () => {
    const { one } = world();
    await holdFirst();
    await one.queue.renew(shard, one.name, [], lease, 2);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('puts orphans in their places where the list of what is held is long', async () => {
    const { one } = world();
    await holdFirst();
    const many = Array.from({ length: 600 }, (_, index) => ({
      id: `held-${String(index)}`,
      token: `${one.name}${String(index + 10)}`,
    }));
    await one.queue.renew(shard, one.name, renewed(many), lease, 1_000);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('makes a marked id due since its mark when its execution is over for now', async () => {
    const { one, two, pass } = world();
    const held = await holdFirst();
    await two.queue.enqueue(shard, [item('a')]);
    await pass(200);
    await two.queue.enqueue(shard, [item('a'), item('later')]);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    const claimed = await claim(two);
    expect(ids(claimed)).toEqual(['b', 'a', 'later']);
    expect(claimed[1]!.lateMillis).toBeGreaterThanOrEqual(199);
    expect(claimed[1]!.lateMillis).toBeLessThan(5_000);
  });

  it('makes a marked id due since its mark when it is parked or has used its turn', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('a', -10_000), item('c', -9_000)]);
    const claimed = await claim(one);
    await two.queue.enqueue(shard, [item('a'), item('c')]);
    await pass(50);
    await two.queue.enqueue(shard, [item('later')]);
    const nexts = [50_000, 0];
    const endings = claimed.map(({ id, token }, i): ShardEnding => ({ id, token, next: nexts[i]! }));
    expect(await one.queue.finish(shard, endings)).toBe(2);
    expect(await order()).toEqual(['a', 'c', 'later']);
  });

  it.each(['handed back', 'orphaned', 'left'] as const)(
    'keeps the earlier of place and mark when it is %s',
    async (how) => {
      const { one, two, pass } = world();
      const held = await holdFirst(how === 'left' ? shortLease : lease);
      await two.queue.enqueue(shard, [item('a')]);
      if (how === 'handed back') await one.queue.finish(shard, [{ ...held, next: 'back' }]);
      else if (how === 'orphaned') await one.queue.renew(shard, one.name, [], lease, 2);
      else await pass(shortLease + 20);
      expect(await order()).toEqual(['a', 'b']);
    },
  );

  it('remembers the place of a parked id that is claimed alone, and lets a mark make it due', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a', 50_000), item('b')]);
    const held = { id: 'a', token: 'pod-1/a/1' };
    await claimOne(one, shard, held, lease, incarnation);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await order()).toEqual(['b']);
    await claimOne(one, shard, held, lease, incarnation);
    await two.queue.enqueue(shard, [item('a')]);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(ids(await claim(two, { firstNumber: 200 }))).toEqual(['a']);
  });

  it.each([
    ['ready', -10_000, ['a', 'b']],
    ['absent', undefined, ['b', 'a']],
  ] as const)('remembers the place of an id that was %s and is claimed alone', async (_, delayMillis, expected) => {
    const { one } = world();
    if (delayMillis !== undefined) await one.queue.enqueue(shard, [item('a', delayMillis)]);
    await one.queue.enqueue(shard, [item('b', -5_000)]);
    const held = { id: 'a', token: 'pod-1/a/1' };
    await claimOne(one, shard, held, lease, incarnation);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await order()).toEqual(expected);
  });

  it('remembers the place of an id whose lease is over and which is claimed alone', async () => {
    const { one, two, pass } = world();
    await holdFirst(shortLease);
    await pass(shortLease + 20);
    const held = { id: 'a', token: 'pod-2/b/1' };
    expect(await claimOne(two, shard, held, lease, incarnation)).toBe('claimed');
    await two.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(ids(await claim(one, { firstNumber: 2 }))).toEqual(['a', 'b']);
  });

  it.each([
    ['absent', undefined],
    ['parked', 50_000],
    ['ready behind its place', -1_000],
  ])('remembers the place of an id that a renewal revives: %s', async (_, delayMillis) => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('b', -5_000)]);
    if (delayMillis !== undefined) await one.queue.enqueue(shard, [item('a', delayMillis)]);
    const held = { id: 'a', token: 'pod-1/a/1' };
    const { revived } = await one.queue.renew(shard, one.name, renewed([held], 10_000), lease, 0);
    expect(revived).toEqual([held]);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('keeps the earlier place when an id is revived that had become due before', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('b', -5_000), item('a', -10_000)]);
    const held = { id: 'a', token: 'pod-1/a/1' };
    await one.queue.renew(shard, one.name, renewed([held]), lease, 0);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('does not forget a place for a renewal', async () => {
    const { one } = world();
    const held = await holdFirst();
    await one.queue.renew(shard, one.name, renewed([held], -50_000), lease, 0);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await order()).toEqual(['a', 'b']);
  });

  it('restores what was lost in its place', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('b', -5_000)]);
    await one.queue.restore(shard, [item('a', -10_000), item('c', -1_000)]);
    const { claimed } = await claimReply(one);
    expect(ids(claimed)).toEqual(['a', 'b', 'c']);
    expect(claimed[0]!.lateMillis).toBeGreaterThanOrEqual(10_000);
  });

  it('does not bring forward by a restore what is due', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('used its turn', -1_000), item('waits', -2_000), item('parked', 50_000)]);
    expect(await one.queue.restore(shard, [item('used its turn', -9_000), item('parked', -5_000)])).toEqual([]);
    expect(await order()).toEqual(['parked', 'waits', 'used its turn']);
  });

  it.each(['pod-1:8/!a', '5:!6/b!7', '!9/:', '-1:x!/y:3!'])('takes any name of a process: %s', async (name) => {
    const { one, two, processes } = world();
    const odd = await processes.open(name);
    await one.queue.enqueue(shard, [item('a', -10_000), item('b', -5_000), item('c', -4_000)]);
    const claimed = await claim(odd, { firstNumber: 1 });
    const [a, b, c] = claimed.map(({ id, token }) => ({ id, token }));
    expect(await two.queue.enqueue(shard, [item('a'), item('b')])).toEqual([a, b]);
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([a]);
    expect(await odd.queue.renew(shard, odd.name, renewed([a!, b!, c!]), lease, 0)).toEqual({ lost: [], revived: [] });
    expect(await claimOne(odd, shard, a!, lease, incarnation)).toBe('claimed');
    const longer = { id: 'c', token: `${c!.token}0` };
    expect(await odd.queue.renew(shard, odd.name, renewed([longer]), lease, 0)).toEqual({
      lost: [longer],
      revived: [],
    });
    expect(await odd.queue.finish(shard, [{ ...longer, next: 'gone' }])).toBe(0);
    expect(await odd.queue.finish(shard, [{ ...a!, next: 'back' }])).toBe(1);
    // What is left is found by its number: one marked, one not.
    await odd.queue.renew(shard, odd.name, [], lease, 4);
    expect(await order()).toEqual(['a', 'b', 'c']);
  });
}
