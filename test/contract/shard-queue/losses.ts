import { expect, it } from 'vitest';
import type { Held, ShardPart } from '../../../src/ports/shard-queue.ts';
import type { ShardWorld } from '../shard-queue-contract.ts';
import {
  claim,
  claimReply,
  claimSingle,
  ids,
  incarnation,
  item,
  lease,
  renewed,
  request,
  shard,
  shortLease,
  claimOne,
} from './bench.ts';

/** A server that evicts keys: parts of a shard vanish by themselves, in any combination. */
export function describeLosses(world: () => ShardWorld): void {
  /** `a` in flight under the first process, due for ten seconds; `b`, due for five, waits. */
  async function holdFirst(leaseMillis: number = lease): Promise<Held> {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', -10_000), item('b', -5_000)]);
    const [a] = await claim(one, { max: 1, leaseMillis });
    return { id: a!.id, token: a!.token };
  }

  async function lose(...parts: readonly ShardPart[]): Promise<void> {
    for (const part of parts) await world().lose(shard, part);
  }

  /** What the second process is given now, the longest due first. */
  async function taken(firstNumber = 100): Promise<readonly string[]> {
    return ids(await claim(world().two, { firstNumber }));
  }

  const parts: readonly ShardPart[] = ['ready', 'inflight', 'claims'];
  const subsets = [1, 2, 3, 4, 5, 6, 7].map((bits) => parts.filter((_, i) => (bits & (1 << i)) !== 0));

  it.each(subsets)('keeps what its holder renews at once, in its place, without %s %s %s', async (...lost) => {
    const { one } = world();
    const held = await holdFirst();
    await lose(...lost);
    const { lost: gone, revived } = await one.queue.renew(shard, one.name, renewed([held], 10_000), lease, 0);
    expect(gone).toEqual([]);
    expect(revived).toEqual(lost.includes('claims') ? [held] : []);
    expect(await taken()).toEqual(lost.includes('ready') ? [] : ['b']);
    await one.queue.enqueue(shard, [item('c', -8_000)]);
    await one.queue.finish(shard, [{ ...held, next: 'back' }]);
    expect(await taken(200)).toEqual(['a', 'c']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: lost.includes('ready') ? 2 : 3 });
  });

  it.each(subsets)('hands nothing out twice at once that is restored or rung, without %s %s %s', async (...lost) => {
    const { one, two } = world();
    const held = await holdFirst();
    await lose(...lost);
    await two.queue.enqueue(shard, [item('a')]);
    await two.queue.restore(shard, [item('a', -10_000), item('b', -5_000)]);
    const isForgotten = lost.includes('inflight') && lost.includes('claims');
    expect((await taken()).toSorted()).toEqual(isForgotten ? ['a', 'b'] : ['b']);
    if (isForgotten) return;
    await one.queue.renew(shard, one.name, renewed([held], 10_000), lease, 0);
    expect(await taken(200)).toEqual([]);
    // It was rung meanwhile.
    expect(await one.queue.finish(shard, [{ ...held, next: 'gone' }])).toBe(1);
    expect(await taken(300)).toEqual(['a']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 2 });
  });

  it('keeps a claim without its lease for a lease, then hands it over in its place', async () => {
    const { one, pass } = world();
    await holdFirst();
    await lose('inflight');
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 1 });
    expect(await claimOne(one, shard, { id: 'a', token: 'pod-1/a/50' }, lease, incarnation)).toBe('held');
    // Nothing but a claim notices.
    const reply = await one.queue.claim(shard, request(one, { firstNumber: 10, max: 1, leaseMillis: shortLease }));
    expect(reply).toMatchObject({ kind: 'claimed', claimed: [{ id: 'b' }] });
    expect(reply).not.toHaveProperty('nextDelayMillis');
    await one.queue.finish(shard, [{ id: 'b', token: 'pod-1/a/10', next: 'back' }]);
    await pass(shortLease + 50);
    expect(await taken()).toEqual(['a', 'b']);
  });

  it('keeps a lease without its claim until it ends', async () => {
    const { one, pass } = world();
    await holdFirst(shortLease);
    await lose('claims');
    expect(await taken()).toEqual(['b']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 2 });
    await pass(shortLease + 20);
    expect(await taken(200)).toEqual(['a']);
  });

  it('takes no token for that of a claim which was lost', async () => {
    const { one, two } = world();
    const held = await holdFirst();
    await lose('claims');
    await claimSingle(two);
    expect(await one.queue.finish(shard, [{ ...held, next: 'gone' }])).toBe(0);
    expect(await claimOne(one, shard, held, lease, incarnation)).toBe('held');
    expect(await one.queue.enqueue(shard, [item('a')])).toEqual([]);
    expect(await one.queue.restore(shard, [item('a')])).toEqual([]);
    await one.queue.renew(shard, one.name, [], lease, 1_000);
    expect(await taken(200)).toEqual([]);
  });

  it('keeps an absent id for its holder for a lease, then hands it over in its place', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('b', -5_000), item('parked', 50_000)]);
    const rows = [item('a', -10_000), item('b', -10_000), item('parked', -10_000)];
    expect(await one.queue.restoreHeld(shard, rows, shortLease)).toEqual(['a']);
    expect(await one.queue.restoreHeld(shard, rows, shortLease)).toEqual([]);
    expect(await one.queue.restore(shard, [item('a', -10_000)])).toEqual([]);
    expect(await one.queue.count([shard])).toEqual({ ready: 2, inFlight: 1 });
    const reply = await claimReply(one);
    expect(ids(reply.claimed)).toEqual(['b']);
    expect(reply.nextDelayMillis).toBeLessThanOrEqual(shortLease);
    expect(reply.leaseEndsInMillis).toBeLessThanOrEqual(shortLease);
    expect(await claimOne(one, shard, { id: 'a', token: 'pod-1/a/50' }, lease, incarnation)).toBe('held');
    await pass(shortLease + 50);
    const [a, parked] = await claim(two);
    expect([a!.id, parked!.id]).toEqual(['a', 'parked']);
    expect(a!.lateMillis).toBeGreaterThanOrEqual(10_000);
  });

  it('gives an id that is kept for its holder to the process that renews it, its mark included', async () => {
    const { one, two } = world();
    await one.queue.restoreHeld(shard, [item('a', -10_000)], shortLease);
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([]);
    const held = { id: 'a', token: 'pod-1/a/1' };
    expect(await one.queue.renew(shard, one.name, renewed([held]), lease, 0)).toEqual({ lost: [], revived: [held] });
    const other = { id: 'a', token: 'pod-2/b/1' };
    expect(await two.queue.renew(shard, two.name, renewed([other]), lease, 0)).toEqual({ lost: [other], revived: [] });
    // It is not theirs to give away any more.
    expect(await two.queue.finish(shard, [{ id: 'a', token: '', next: 'back' }])).toBe(0);
    expect(await one.queue.finish(shard, [{ ...held, next: 'gone' }])).toBe(1);
    expect(await taken()).toEqual(['a']);
  });

  it('hands over at once, in its place, what is kept for a process that does not hold it', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('b', -5_000)]);
    await one.queue.restoreHeld(shard, [item('a', -10_000)], shortLease);
    await two.queue.enqueue(shard, [item('a')]);
    expect(await two.queue.finish(shard, [{ id: 'a', token: '', next: 'back' }])).toBe(1);
    expect(await taken()).toEqual(['a', 'b']);
    expect(await two.queue.finish(shard, [{ id: 'a', token: '', next: 'back' }])).toBe(0);
  });

  it('claims nothing without its mark', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await lose('marker');
    expect(await one.queue.claim(shard, request(one))).toEqual({ kind: 'unmarked' });
    await one.queue.mark(shard, incarnation);
    expect(ids(await claim(one))).toEqual(['a']);
  });
}
