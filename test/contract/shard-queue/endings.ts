import { expect, it } from 'vitest';
import type { Held, ShardEnding } from '../../../src/ports/shard-queue.ts';
import type { ShardWorld } from '../shard-queue-contract.ts';
import {
  claim,
  claimReply,
  claimSingle,
  ids,
  incarnation,
  item,
  lease,
  shard,
  shortLease,
  renewed,
  claimOne,
} from './bench.ts';

/** How claims end, and the mark `again` in each of the ways. */
export function describeEndings(world: () => ShardWorld): void {
  async function holdOne(leaseMillis = lease): Promise<Held> {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a')]);
    return claimSingle(one, { leaseMillis });
  }

  it('forgets an id that is gone', async () => {
    const { one, two, pass } = world();
    const held = await holdOne(shortLease);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
    await pass(shortLease + 20);
    expect(await claim(two)).toEqual([]);
  });

  it('releases an id to anybody', async () => {
    const { one, two } = world();
    await one.queue.finish(shard, [{ ...(await holdOne()), next: 0 }]);
    expect(ids(await claim(two))).toEqual(['a']);
  });

  it('parks an id for the time asked for', async () => {
    const { one, pass } = world();
    await one.queue.finish(shard, [{ ...(await holdOne()), next: shortLease }]);
    const { claimed, nextDelayMillis } = await claimReply(one);
    expect(claimed).toEqual([]);
    expect(nextDelayMillis).toBeGreaterThan(0);
    expect(nextDelayMillis).toBeLessThanOrEqual(shortLease);
    await pass(shortLease + 20);
    expect(ids(await claim(one))).toEqual(['a']);
  });

  it('ends many claims in different ways at once', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a', -3), item('b', -2), item('c', -1), item('d')]);
    const [a, b, c, d] = await claim(one);
    const endings: readonly ShardEnding[] = [
      { ...a!, next: 'gone' },
      { ...b!, next: 0 },
      { ...c!, next: 50_000 },
      { ...d!, token: 'pod-1/a/99', next: 'gone' },
    ];
    await one.queue.finish(shard, endings);
    expect(await one.queue.count([shard])).toEqual({ ready: 2, inFlight: 1 });
    expect(ids(await claim(one))).toEqual(['b']);
  });

  it.each([['gone'], [0], [50_000]] as const)('leaves a claim under another token alone (%s)', async (next) => {
    const { one, two, pass } = world();
    const former = await holdOne(shortLease);
    await pass(shortLease + 20);
    const present = await claimSingle(two);
    await one.queue.finish(shard, [{ ...former, next }]);
    expect(await claim(one)).toEqual([]);
    expect(await two.queue.renew(shard, two.name, renewed([present]), lease, 0)).toEqual({ lost: [], revived: [] });
  });

  it('ends a claim whose lease is over while no process has taken it', async () => {
    const { one, pass } = world();
    const held = await holdOne(shortLease);
    await pass(shortLease + 20);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(await claim(one)).toEqual([]);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('does nothing for an id that is absent or ready', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('ready')]);
    await one.queue.finish(shard, [
      { id: 'absent', token: 'pod-1/a/1', next: 0 },
      { id: 'ready', token: 'pod-1/a/1', next: 'gone' },
    ]);
    expect(await one.queue.count([shard])).toEqual({ ready: 1, inFlight: 0 });
  });

  it.each([['gone'], [0], [50_000]] as const)('makes a marked id ready now (%s), once', async (next) => {
    const { one, two } = world();
    const held = await holdOne();
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([held]);
    expect(await claim(two)).toEqual([]);
    expect(await one.queue.finish(shard, [{ ...held, next }])).toBe(1);
    const following = await claimSingle(two);
    // The mark belonged to the former claim.
    expect(await two.queue.finish(shard, [{ ...following, next: 'gone' }])).toBe(0);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('makes a marked id ready when its lease is over, once', async () => {
    const { one, two, pass } = world();
    await holdOne(shortLease);
    await two.queue.enqueue(shard, [item('a')]);
    await pass(shortLease + 20);
    const following = await claimSingle(two);
    await two.queue.finish(shard, [{ ...following, next: 'gone' }]);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });

  it('keeps the mark of a claim that is prolonged', async () => {
    const { one, two } = world();
    const held = await holdOne();
    await two.queue.enqueue(shard, [item('a')]);
    expect(await one.queue.renew(shard, one.name, renewed([held]), lease, 0)).toEqual({ lost: [], revived: [] });
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(ids(await claim(two))).toEqual(['a']);
  });

  it('marks claims of one id as well', async () => {
    const { one, two } = world();
    const held = { id: 'a', token: 'pod-1/a/1' };
    await claimOne(one, shard, held, lease, incarnation);
    expect(await two.queue.enqueue(shard, [item('a')])).toEqual([held]);
    await one.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(ids(await claim(two))).toEqual(['a']);
  });
}
