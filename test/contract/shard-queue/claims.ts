import { expect, it } from 'vitest';
import type { ShardWorld } from '../shard-queue-contract.ts';
import {
  claim,
  claimReply,
  claimSingle,
  ids,
  incarnation,
  item,
  lease,
  request,
  shard,
  shortLease,
  sortedIds,
  renewed,
  claimOne,
} from './bench.ts';

/** Claiming what is due, and claiming one id. */
export function describeClaims(world: () => ShardWorld): void {
  it('hands over what is due, the longest due first, at most as many as asked for', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('c', -10), item('a', -30), item('b', -20)]);
    expect(ids(await claim(one, { max: 2 }))).toEqual(['a', 'b']);
    expect(ids(await claim(one))).toEqual(['c']);
    expect(await claim(one)).toEqual([]);
  });

  it('numbers the tokens from the first', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', -2), item('b', -1)]);
    const claimed = await claim(one, { firstNumber: 41 });
    expect(claimed.map(({ token }) => token)).toEqual(['pod-1/a/41', 'pod-1/a/42']);
  });

  it('says for how long an id had been due', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', -5000), item('b')]);
    const [a, b] = await claim(one);
    expect(a!.lateMillis).toBeGreaterThanOrEqual(5000);
    expect(a!.lateMillis).toBeLessThan(60_000);
    expect(b!.lateMillis).toBeGreaterThanOrEqual(0);
    expect(b!.lateMillis).toBeLessThan(a!.lateMillis);
  });

  it('says when the next id is due', async () => {
    const { one } = world();
    expect(await claimReply(one)).toEqual({ kind: 'claimed', claimed: [] });
    await one.queue.enqueue(shard, [item('later', 30_000)]);
    const { claimed, nextDelayMillis } = await claimReply(one);
    expect(claimed).toEqual([]);
    expect(nextDelayMillis).toBeGreaterThan(0);
    expect(nextDelayMillis).toBeLessThanOrEqual(30_000);
    await one.queue.enqueue(shard, [item('a', -9_000), item('b', -5_000), item('c')]);
    const overdue = (await claimReply(one, { max: 1 })).nextDelayMillis;
    expect(overdue).toBeLessThanOrEqual(-5_000);
    expect(overdue).toBeGreaterThan(-8_000);
    expect((await claimReply(one, { max: 1, firstNumber: 2 })).nextDelayMillis).toBeLessThanOrEqual(0);
    expect((await claimReply(one, { max: 1, firstNumber: 3 })).nextDelayMillis).toBeGreaterThan(0);
  });

  it('says when the first lease ends, for any holder', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a', -1), item('b', 30_000)]);
    const mine = await claimReply(one);
    expect(mine.leaseEndsInMillis).toBeGreaterThan(lease - 5_000);
    expect(mine.leaseEndsInMillis).toBeLessThanOrEqual(lease);
    expect((await claimReply(two)).leaseEndsInMillis).toBeGreaterThan(0);
    await one.queue.finish(shard, [{ ...mine.claimed[0]!, next: 'gone' }]);
    expect((await claimReply(two)).leaseEndsInMillis).toBeUndefined();
  });

  it('keeps what is due later until then', async () => {
    const { one, pass } = world();
    await one.queue.enqueue(shard, [item('a', shortLease)]);
    expect(await claim(one)).toEqual([]);
    await pass(shortLease + 20);
    expect(ids(await claim(one))).toEqual(['a']);
  });

  it('hands an id to no other process while it is in flight', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await claimSingle(one);
    expect(await claim(two)).toEqual([]);
    expect(await claim(one, { firstNumber: 2 })).toEqual([]);
  });

  it('hands an id over again when its lease is over', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await claimSingle(one, { leaseMillis: shortLease });
    await pass(shortLease + 20);
    const [again] = await claim(two);
    expect(again).toMatchObject({ id: 'a', token: 'pod-2/b/1' });
    expect(again!.lateMillis).toBeGreaterThanOrEqual(shortLease);
  });

  it('hands out every id once when several claim together', async () => {
    const { one, two } = world();
    const all = Array.from({ length: 40 }, (_, index) => `id-${String(index)}`);
    await one.queue.enqueue(
      shard,
      all.map((id) => item(id)),
    );
    const replies = await Promise.all(
      [one, two, one, two, one].map((process, index) => claim(process, { firstNumber: index * 100 })),
    );
    expect(sortedIds(replies.flat())).toEqual(all.toSorted());
    expect(new Set(replies.flat().map(({ token }) => token)).size).toBe(40);
  });

  it('does nothing when it comes after its time', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a')]);
    const notAfter = one.queue.serverNow() - 5000;
    expect(await one.queue.claim(shard, request(one, { notAfter }))).toEqual({ kind: 'late' });
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 0 });
  });

  it('does nothing in a shard that was not rebuilt for the incarnation', async () => {
    const { one } = world();
    const other = { count: 64, index: 8 };
    await one.queue.enqueue(other, [item('a')]);
    await one.queue.enqueue(shard, [item('b')]);
    expect(await one.queue.claim(other, request(one))).toEqual({ kind: 'unmarked' });
    expect(await one.queue.claim(shard, request(one, { incarnation: 'incarnation-2' }))).toEqual({ kind: 'unmarked' });
    expect(await one.queue.count([shard, other])).toEqual({ ready: 2, inFlight: 0 });
    await one.queue.mark(other, incarnation);
    expect(ids(await claim(one, {}, other))).toEqual(['a']);
    await one.queue.mark(shard, 'incarnation-2');
    expect(await one.queue.claim(shard, request(one))).toEqual({ kind: 'unmarked' });
    expect(ids(await claim(one, { incarnation: 'incarnation-2' }))).toEqual(['b']);
  });

  it('hands nothing over while a shard rests that is marked anew', async () => {
    const { one, two, pass } = world();
    const other = { count: 64, index: 9 };
    await one.queue.enqueue(other, [item('late', -500), item('soon', 100), item('far', 50_000)]);
    await two.queue.renew(other, two.name, renewed([{ id: 'held', token: `${two.name}1` }]), lease, 0);
    await one.queue.mark(other, incarnation, 400);
    await pass(150);
    const { claimed, nextDelayMillis } = await claimReply(one, {}, other);
    expect(claimed).toEqual([]);
    expect(nextDelayMillis).toBeGreaterThan(0);
    expect(nextDelayMillis).toBeLessThanOrEqual(250);
    // Meanwhile a process says that it runs one of them.
    const late = { id: 'late', token: `${two.name}2` };
    expect(await two.queue.renew(other, two.name, renewed([late]), lease, 0)).toEqual({ lost: [], revived: [late] });
    await pass(300);
    expect(ids(await claim(one, {}, other))).toEqual(['soon']);
    expect(await one.queue.count([other])).toEqual({ ready: 1, inFlight: 3 });
  });

  it('hands nothing over that is restored while a shard rests, by any process, and keeps its places', async () => {
    const { one, two, pass } = world();
    const other = { count: 64, index: 10 };
    await one.queue.enqueue(other, [item('ready', -500)]);
    await one.queue.mark(other, incarnation, 400);
    const rows = [item('ready', -500), item('absent', -700), item('timer', 200), item('far', 50_000)];
    expect(await two.queue.restore(other, rows)).toHaveLength(3);
    expect(await claim(two, {}, other)).toEqual([]);
    // What may be running stays where it is when it is rung; what becomes due only now runs nowhere.
    await pass(2);
    await one.queue.enqueue(other, [item('ready'), item('new'), item('soon', 150)]);
    const reply = await claimReply(two, {}, other);
    expect(ids(reply.claimed)).toEqual(['new']);
    expect(reply.nextDelayMillis).toBeLessThanOrEqual(150);
    await pass(200);
    expect(ids(await claim(two, { firstNumber: 2 }, other))).toEqual(['soon']);
    await pass(250);
    const claimed = await claim(two, { firstNumber: 3 }, other);
    expect(ids(claimed)).toEqual(['absent', 'ready', 'timer']);
    expect(claimed[0]!.lateMillis).toBeGreaterThanOrEqual(1_100);
    expect(await two.queue.restore(other, [item('next', 0)])).toEqual(['next']);
    expect(ids(await claim(two, {}, other))).toEqual(['next']);
  });

  it('never cuts a rest short', async () => {
    const { one, two, pass } = world();
    const other = { count: 64, index: 14 };
    await one.queue.enqueue(other, [item('a')]);
    await one.queue.mark(other, incarnation, 400);
    await two.queue.mark(other, incarnation, 100);
    await two.queue.mark(other, incarnation);
    await two.queue.restore(other, [], 50);
    await pass(150);
    expect(await claim(one, {}, other)).toEqual([]);
    await pass(300);
    expect(ids(await claim(one, {}, other))).toEqual(['a']);
    // It is over for good.
    await one.queue.enqueue(other, [item('b')]);
    expect(ids(await claim(two, {}, other))).toEqual(['b']);
  });

  it('keeps the rest of a shard that is marked for another incarnation', async () => {
    const { one } = world();
    const other = { count: 64, index: 15 };
    await one.queue.enqueue(other, [item('a')]);
    await one.queue.mark(other, incarnation, 30_000);
    await one.queue.mark(other, 'incarnation-2');
    expect(await one.queue.claim(other, request(one))).toEqual({ kind: 'unmarked' });
    expect(await claim(one, { incarnation: 'incarnation-2' }, other)).toEqual([]);
  });

  it('lets a marked shard rest for a process that restores after a loss', async () => {
    const { one, two, pass } = world();
    await two.queue.restore(shard, [item('a', -5_000)], 400);
    expect((await claimReply(one)).nextDelayMillis).toBeGreaterThan(0);
    await pass(450);
    const [a] = await claim(one);
    expect(a!.lateMillis).toBeGreaterThanOrEqual(5_000);
  });

  it('marks nothing by a restore', async () => {
    const { one, two } = world();
    const other = { count: 64, index: 16 };
    await two.queue.restore(other, [item('a', -5_000)], 400);
    expect(await one.queue.claim(other, request(one))).toEqual({ kind: 'unmarked' });
    await one.queue.mark(other, incarnation);
    expect(ids(await claim(one, {}, other))).toEqual(['a']);
  });

  it('claims one id in a shard that rests where it is new there', async () => {
    const { one, two, pass } = world();
    const other = { count: 64, index: 17 };
    await one.queue.enqueue(other, [item('due'), item('parked', 50_000)]);
    const held = { id: 'held', token: 'pod-1/a/1' };
    await one.queue.mark(other, incarnation);
    await claimOne(one, other, held, shortLease, incarnation);
    await one.queue.mark(other, incarnation, 30_000);
    await pass(shortLease + 20);
    const ask = (id: string) => claimOne(two, other, { id, token: 'pod-2/b/1' }, lease, incarnation);
    expect(await ask('due')).toBe('held');
    expect(await ask('parked')).toBe('held');
    expect(await ask('held')).toBe('held');
    expect(await ask('new')).toBe('claimed');
    expect(await ask('new')).toBe('claimed');
    expect(await claimOne(one, other, held, lease, incarnation)).toBe('claimed');
    expect(await claimOne(two, other, { id: 'x', token: 'pod-2/b/2' }, lease, 'incarnation')).toBe('unmarked');
  });

  it('keeps shards apart, those of another count too', async () => {
    const { one } = world();
    const namesake = { count: 128, index: shard.index };
    await one.queue.mark(namesake, incarnation);
    await one.queue.enqueue(namesake, [item('a')]);
    expect(await claim(one)).toEqual([]);
    expect(ids(await claim(one, {}, namesake))).toEqual(['a']);
  });

  it.each([
    ['absent', undefined],
    ['due', 0],
    ['parked', 50_000],
  ])('claims one id that is %s', async (_, delayMillis) => {
    const { one, two } = world();
    if (delayMillis !== undefined) await one.queue.enqueue(shard, [item('a', delayMillis)]);
    expect(await claimOne(one, shard, { id: 'a', token: 'pod-1/a/9' }, lease, incarnation)).toBe('claimed');
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 1 });
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([{ id: 'a', token: 'pod-1/a/9' }]);
  });

  it('does not claim one id that another token holds', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a')]);
    const held = await claimSingle(one);
    expect(await claimOne(two, shard, { id: 'a', token: 'pod-2/b/1' }, lease, incarnation)).toBe('held');
    expect(await claimOne(one, shard, { id: 'a', token: 'pod-1/a/2' }, lease, incarnation)).toBe('held');
    expect(await one.queue.renew(shard, one.name, renewed([held]), lease, 0)).toEqual({ lost: [], revived: [] });
  });

  it('claims one id whose lease under another token is over', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('a')]);
    const held = await claimSingle(one, { leaseMillis: shortLease });
    await pass(shortLease + 20);
    expect(await claimOne(two, shard, { id: 'a', token: 'pod-2/b/1' }, lease, incarnation)).toBe('claimed');
    expect(await one.queue.renew(shard, one.name, renewed([held]), lease, 0)).toEqual({ lost: [held], revived: [] });
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 1 });
  });

  it('claims one id again under the same token, with a new lease and the mark kept', async () => {
    const { one, two, pass } = world();
    const held = { id: 'a', token: 'pod-1/a/1' };
    await claimOne(one, shard, held, shortLease, incarnation);
    await two.queue.enqueue(shard, [item('a')]);
    expect(await claimOne(one, shard, held, lease, incarnation)).toBe('claimed');
    await pass(shortLease + 20);
    expect(await claim(two)).toEqual([]);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(ids(await claim(two))).toEqual(['a']);
  });

  it('does not claim one id in a shard that was not rebuilt for the incarnation', async () => {
    const { one } = world();
    const held = { id: 'a', token: 'pod-1/a/1' };
    expect(await claimOne(one, shard, held, lease, 'incarnation-2')).toBe('unmarked');
    expect(await claimOne(one, { count: 64, index: 9 }, held, lease, incarnation)).toBe('unmarked');
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });
}
