import { expect, it } from 'vitest';
import { wholeShardSet } from '../../../src/core/value/slot.ts';
import type { DueDetail, DueRow } from '../../../src/ports/records.ts';
import { checkpointOf, endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** What the queue is refilled from. */
export function due(test: StoreUnderTest): void {
  const everything = wholeShardSet;
  const row = (n: number, dueAt: number): DueRow => ({ id: idOf(n), slot: n, dueAt });

  async function sample(): Promise<void> {
    await test.store.submit([
      newExecution(4, { dueAt: start + 10 }),
      newExecution(2, { dueAt: start + 10 }),
      newExecution(1, { dueAt: start + 20 }),
      newExecution(3, { dueAt: start + 10 }),
      newExecution(5, { dueAt: start + 30 }),
      newExecution(6, { dueAt: start, state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') }),
    ]);
  }

  it('finds what is due by an instant, by due time and id', async () => {
    await sample();
    const found = await test.store.findDue(everything, start + 20, 10);
    expect(found).toEqual([row(2, start + 10), row(3, start + 10), row(4, start + 10), row(1, start + 20)]);
    expect(await test.store.findDue(everything, start + 9, 10)).toEqual([]);
    if (await test.reopen()) expect(await test.store.findDue(everything, start + 20, 10)).toEqual(found);
  });

  it('walks pages by a cursor', async () => {
    await sample();
    const found: DueRow[] = [];
    let page = await test.store.findDue(everything, start + 99, 2);
    while (page.length > 0) {
      found.push(...page);
      page = await test.store.findDue(everything, start + 99, 2, page.at(-1));
    }
    expect(found.map(({ slot }) => slot)).toEqual([2, 3, 4, 1, 5]);
  });

  it('begins at an instant', async () => {
    await sample();
    const found = await test.store.findDue(everything, start + 99, 10, { dueAt: start + 20, id: '' });
    expect(found.map(({ slot }) => slot)).toEqual([1, 5]);
  });

  it('tells which of them have been taken over since they became due, and when they were written last', async () => {
    const later = summaryOf('SLEEPING', { updatedAt: start + 5 });
    await test.store.submit([
      newExecution(1, { dueAt: start + 1 }),
      newExecution(2, { dueAt: start + 2, claim: 'direct' }),
      newExecution(3, { dueAt: start + 3, claim: 'ran' }),
      newExecution(4, { dueAt: start + 4, claim: 'parked' }),
      newExecution(5, { dueAt: start + 5 }),
    ]);
    // Still running, whatever it has done; at rest until a time that has come.
    await test.store.checkpoint([checkpointOf(3, 'ran', 0, { summary: later })]);
    await test.store.checkpoint([checkpointOf(4, 'parked', 0, { summary: later, dueAt: start + 6 })]);
    await test.store.takeOver([{ id: idOf(5), claim: 'queue' }], start + 7);
    const taken = (n: number, dueAt: number, updatedAt: number, claim?: string): DueDetail => ({
      ...row(n, dueAt),
      // As their last checkpoints say.
      status: n === 3 || n === 4 ? later.status : 'IN_PROGRESS',
      updatedAt,
      ...(claim === undefined ? undefined : { claim }),
    });
    const all = [
      taken(1, start + 1, start),
      taken(2, start + 2, start, 'direct'),
      taken(3, start + 3, start + 5, 'ran'),
      taken(5, start + 5, start, 'queue'),
      taken(4, start + 6, start + 5),
    ];
    expect(await test.store.listDue(everything, start + 9, 10)).toEqual(all);
    expect(await test.store.listDue(everything, start + 5, 2, all[0])).toEqual(all.slice(1, 3));
    expect(await test.store.listDue({ count: 16_384, shards: [5] }, start + 9, 10)).toEqual(all.slice(3, 4));
  });

  it('keeps to the shards asked for', async () => {
    await sample();
    await test.store.submit([newExecution(7, { slot: 16_383, dueAt: start + 40 })]);
    const slots = async (count: number, ...shards: number[]): Promise<number[]> =>
      (await test.store.findDue({ count, shards }, start + 99, 10)).map(({ slot }) => slot);
    // With as many shards as slots each is one slot; with 8192 two neighbours share one.
    expect(await slots(16_384, 2, 3)).toEqual([2, 3]);
    expect(await slots(8192, 1, 2)).toEqual([2, 3, 4, 5]);
    expect(await slots(3, 1)).toEqual([]);
    expect(await slots(3, 2)).toEqual([16_383]);
    expect(await slots(64)).toEqual([]);
  });
}
