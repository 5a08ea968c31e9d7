import { expect, it } from 'vitest';
import type { ExecutionStatus } from '../../../src/core/state.ts';
import type { NewExecution } from '../../../src/ports/store.ts';
import { checkpointOf, effectStep, endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import { placeOf } from './families.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const day = 86_400_000;

function ended(n: number, status: ExecutionStatus = 'SUCCEEDED', overrides: Partial<NewExecution> = {}): NewExecution {
  const summary = summaryOf(status, { completedAt: start + n });
  return newExecution(n, { state: endState('FAILED'), summary, ...overrides });
}

/** Removing families: they go with their roots. */
export function familyRetention(test: StoreUnderTest): void {
  const left = async (): Promise<readonly number[]> =>
    (await test.store.listExecutions({}, { limit: 500, order: 'asc' })).items.map(({ slot }) => slot);

  it('keeps members as long as their root, and removes them with it', async () => {
    const { store } = test;
    const place = placeOf(1);
    await store.submit([
      newExecution(1, { claim: 'c' }),
      ended(2, 'SUCCEEDED', place),
      ended(3, 'FAILED', placeOf(2, 1)),
    ]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(0);
    expect(await left()).toEqual([1, 2, 3]);
    const summary = summaryOf('SUCCEEDED', { completedAt: start + 2 * day });
    await store.checkpoint([checkpointOf(1, 'c', 0, { state: endState('SUCCEEDED'), summary, dueAt: null })]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(0);
    expect(await store.deleteCompleted(start + 3 * day, 50)).toBe(3);
    expect(await left()).toEqual([]);
    expect(await store.countChildren(idOf(1))).toMatchObject({ count: 0 });
  });

  it('counts from the end of the root, also for members that ended after it', async () => {
    const { store } = test;
    const late = summaryOf('SUCCEEDED', { completedAt: start + 9 * day });
    await store.submit([ended(1), newExecution(2, { ...placeOf(1), state: endState('SUCCEEDED'), summary: late })]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(2);
    expect(await left()).toEqual([]);
  });

  it('keeps a whole family for one member', async () => {
    const { store } = test;
    const unknown = effectStep(1, { effect: 'unknown', outcome: 'unknown' });
    const keepers: readonly NewExecution[] = [
      newExecution(12, placeOf(11, 10)),
      ended(22, 'CORRUPTED', placeOf(21, 20)),
      ended(32, 'FAILED', { ...placeOf(31, 30), steps: [unknown] }),
    ];
    const families = [10, 20, 30, 40].flatMap((root) => [ended(root), ended(root + 1, 'SUCCEEDED', placeOf(root))]);
    const settled = ended(42, 'FAILED', { ...placeOf(41, 40), steps: [{ ...unknown, undo: 'accepted' }] });
    await store.submit([...families, ...keepers, settled]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(3);
    expect(await left()).toEqual([10, 11, 12, 20, 21, 22, 30, 31, 32]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(0);
  });

  it('keeps members of a root that must be kept', async () => {
    const { store } = test;
    await store.submit([ended(1, 'CORRUPTED'), ended(2, 'SUCCEEDED', placeOf(1)), ended(3)]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(1);
    expect(await left()).toEqual([1, 2]);
  });

  it('removes large families in portions, and comes to others although many are kept', async () => {
    const { store } = test;
    const members = Array.from({ length: 260 }, (_, i) => ended(i + 1000, 'SUCCEEDED', placeOf(900)));
    const kept = Array.from({ length: 60 }, (_, i) => [
      ended(i + 2000),
      newExecution(i + 2100, placeOf(i + 2000)),
    ]).flat();
    await store.submit([ended(900), ...members, ...kept, ended(2500)]);
    let removed = 0;
    for (let round = 0; round < 12; round++) removed += await store.deleteCompleted(start + day, 70);
    expect(removed).toBe(262);
    expect(await left()).toEqual(kept.map(({ slot }) => slot).toSorted((a, b) => a - b));
  });

  it('removes a member that was changed after its root had gone once it is over', async () => {
    const { store } = test;
    await store.submit([ended(1), ...[2, 3, 4].map((n) => ended(n, 'CANCELLED', placeOf(1)))]);
    expect(await store.deleteCompleted(start + day, 2)).toBe(2);
    const [last = 0] = (await left()).slice(-1);
    const change = { id: idOf(last), seq: 0, writeId: 'w', dueAt: start, steps: [], undo: [] };
    const running = { state: endState('FAILED'), summary: summaryOf('COMPENSATING') };
    expect(await store.changeTerminal({ ...change, ...running })).toBe(true);
    expect(await store.deleteCompleted(start + day, 50)).toBe(1);
    expect(await store.deleteCompleted(start + day, 50)).toBe(0);
    expect(await left()).toEqual([last]);
    await store.takeOver([{ id: idOf(last), claim: 'c' }], start);
    const over = { state: endState('CANCELLED'), summary: summaryOf('CANCELLED'), dueAt: null };
    await store.checkpoint([checkpointOf(last, 'c', 2, over)]);
    expect(await store.deleteCompleted(start + day, 50)).toBe(1);
    expect(await left()).toEqual([]);
  });
}
