import { expect, it } from 'vitest';
import type { ShardWorld } from '../shard-queue-contract.ts';
import { claim, claimSingle, item, lease, shard, shortLease, sortedIds, renewed } from './bench.ts';

/** Prolonging leases, and finding claims whose answer got lost. */
export function describeRenewals(world: () => ShardWorld): void {
  it('prolongs what is listed and nothing else', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('a', -3), item('b', -2), item('c', -1)]);
    const [a, b] = await claim(one, { leaseMillis: shortLease });
    expect(await one.queue.renew(shard, one.name, renewed([a!, b!]), lease, 0)).toEqual({ lost: [], revived: [] });
    await pass(shortLease + 20);
    expect(sortedIds(await claim(two))).toEqual(['c']);
  });

  it('can shorten a lease', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('a')]);
    const held = await claimSingle(one);
    await one.queue.renew(shard, one.name, renewed([held]), shortLease, 0);
    await pass(shortLease + 20);
    expect(sortedIds(await claim(two))).toEqual(['a']);
  });

  it('answers what another token holds', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('mine', -2), item('other', -1)]);
    const [mine, other] = (await claim(one)).map(({ id, token }) => ({ id, token }));
    await one.queue.finish(shard, [{ ...other!, next: 0 }]);
    const taken = await claimSingle(two);
    expect(await one.queue.renew(shard, one.name, renewed([mine!, other!]), lease, 0)).toEqual({
      lost: [other],
      revived: [],
    });
    expect(await two.queue.renew(shard, two.name, renewed([taken]), lease, 0)).toEqual({ lost: [], revived: [] });
  });

  it('takes again what the server lost, has parked, or gave back when the lease was over', async () => {
    const { one, two, pass } = world();
    await one.queue.enqueue(shard, [item('expired', -2), item('parked', -1)]);
    const [expired, parked] = await claim(one, { leaseMillis: shortLease });
    await one.queue.finish(shard, [{ ...parked!, next: 50_000 }]);
    await pass(shortLease + 20);
    // Another process' claim returns the expired lease, and has no room for the id itself.
    await two.queue.enqueue(shard, [item('first', -600_000)]);
    await claimSingle(two, { max: 1 });
    const unknown = { id: 'unknown', token: `${one.name}9` };
    expect(await one.queue.renew(shard, one.name, renewed([expired!, parked!, unknown]), lease, 0)).toEqual({
      lost: [],
      revived: [expired!, parked!, unknown].map(({ id, token }) => expect.objectContaining({ id, token })),
    });
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 4 });
    await one.queue.finish(shard, [
      { ...expired!, next: 'gone' },
      { ...parked!, next: 'gone' },
      { ...unknown, next: 'gone' },
    ]);
    // It may have been a wake-up that made the first one due.
    expect(sortedIds(await claim(two, { firstNumber: 2 }))).toEqual(['expired']);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 2 });
  });

  it('takes again in a shard that is not marked', async () => {
    const { one } = world();
    const other = { count: 64, index: 12 };
    const held = { id: 'a', token: `${one.name}1` };
    expect(await one.queue.renew(other, one.name, renewed([held]), lease, 0)).toEqual({ lost: [], revived: [held] });
    expect(await one.queue.count([other])).toEqual({ ready: 0, inFlight: 1 });
  });

  it('makes orphans of lost answers ready, old ones of this process only', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('listed', -9), item('orphan-1', -8), item('orphan-2', -7), item('young', -6)]);
    const claimed = await claim(one, { firstNumber: 10 });
    await one.queue.enqueue(shard, [item('other')]);
    const other = await claimSingle(two, { firstNumber: 1 });
    const [listed] = claimed;
    expect(await one.queue.renew(shard, one.name, renewed([listed!]), lease, 13)).toEqual({ lost: [], revived: [] });
    expect(await one.queue.count([shard])).toEqual({ ready: 2, inFlight: 3 });
    expect(sortedIds(await claim(two, { firstNumber: 2 }))).toEqual(['orphan-1', 'orphan-2']);
    expect(await two.queue.renew(shard, two.name, renewed([other]), lease, 0)).toEqual({ lost: [], revived: [] });
    expect(await one.queue.renew(shard, one.name, renewed([claimed[3]!]), lease, 0)).toEqual({ lost: [], revived: [] });
  });

  it('compares numbers as numbers', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('nine', -2), item('hundred', -1)]);
    await claim(one, { max: 1, firstNumber: 9 });
    await claim(one, { max: 1, firstNumber: 100 });
    await one.queue.renew(shard, one.name, [], lease, 20);
    expect(sortedIds(await claim(one, { firstNumber: 101 }))).toEqual(['nine']);
  });

  it('leaves a process alone whose name begins like that of another', async () => {
    const { one, processes } = world();
    const namesake = await processes.open('pod-1/ab');
    await one.queue.enqueue(shard, [item('a')]);
    const held = await claimSingle(namesake);
    await one.queue.renew(shard, one.name, [], lease, 1_000_000);
    expect(await namesake.queue.renew(shard, namesake.name, renewed([held]), lease, 0)).toEqual({
      lost: [],
      revived: [],
    });
  });

  it('makes an orphan ready of which this process lists a later claim, and answers that as lost', async () => {
    const { one } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await claimSingle(one);
    const later = { id: 'a', token: `${one.name}5` };
    expect(await one.queue.renew(shard, one.name, renewed([later]), lease, 5)).toEqual({ lost: [later], revived: [] });
    expect(sortedIds(await claim(one, { firstNumber: 6 }))).toEqual(['a']);
  });

  it('makes a marked orphan ready, once', async () => {
    const { one, two } = world();
    await one.queue.enqueue(shard, [item('a')]);
    await claimSingle(one);
    await two.queue.enqueue(shard, [item('a')]);
    await one.queue.renew(shard, one.name, [], lease, 2);
    const held = await claimSingle(two);
    await two.queue.finish(shard, [{ ...held, next: 'gone' }]);
    expect(await one.queue.count([shard])).toEqual({ ready: 0, inFlight: 0 });
  });
}
