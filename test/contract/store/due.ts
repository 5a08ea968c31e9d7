import { expect, it } from 'vitest';
import type { DueRow } from '../../../src/ports/store.ts';
import { endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** What the queue is refilled from. */
export function due(test: StoreUnderTest): void {
  const everything = { from: 0, to: 16_384 };
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

  it('keeps to the slots asked for', async () => {
    await sample();
    const slots = async (from: number, to: number): Promise<number[]> =>
      (await test.store.findDue({ from, to }, start + 99, 10)).map(({ slot }) => slot);
    expect(await slots(2, 4)).toEqual([2, 3]);
    expect(await slots(5, 16_384)).toEqual([5]);
  });

  it('tells when the next one is due', async () => {
    expect(await test.store.nextDue(0)).toBeUndefined();
    await sample();
    expect(await test.store.nextDue(0)).toBe(start + 10);
    expect(await test.store.nextDue(start + 10)).toBe(start + 20);
    expect(await test.store.nextDue(start + 30)).toBeUndefined();
  });
}
