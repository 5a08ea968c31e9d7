import { expect, it } from 'vitest';
import { itemScope, loopScope } from '../../../src/core/context/scope.ts';
import type { StepRow } from '../../../src/core/history.ts';
import { checkpointOf, effectStep, idOf, newExecution, start, stepRow } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** What items of loops read of the history. */
export function items(test: StoreUnderTest): void {
  const loop = loopScope('', 'each', 1, 1);
  const scopeOf = (began: number, place: number): string => itemScope(loop, began, place);

  async function written(steps: readonly StepRow[]): Promise<void> {
    await test.store.submit([newExecution(1)]);
    await test.store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await test.store.checkpoint([checkpointOf(1, 'c', 1, { steps })]);
  }

  it('reads the latest visit of a node within an item', async () => {
    const [first, second] = [scopeOf(2, 0), scopeOf(2, 1)];
    await written([
      stepRow(3, { scope: first, visit: 1 }),
      stepRow(4, { scope: second, visit: 2 }),
      stepRow(5, { scope: `${first}/split#1:a`, visit: 3 }),
      stepRow(6, { scope: second, visit: 4 }),
      // The scope of another item begins with the same characters.
      stepRow(7, { scope: `${first}0`, visit: 5 }),
    ]);
    const read = async (scope: string, before?: number, after = 2): Promise<readonly number[]> => {
      const query = { nodeId: 'a', within: { scope, after }, ...(before === undefined ? undefined : { before }) };
      return (await test.store.readOutputs(idOf(1), 1, [query])).map(({ ord }) => ord);
    };
    expect(await read(first)).toEqual([5]);
    expect(await read(first, 5)).toEqual([3]);
    expect(await read(second)).toEqual([6]);
    expect(await read(second, 6)).toEqual([4]);
    expect(await read(second, undefined, 6)).toEqual([]);
    expect(await read(scopeOf(2, 9))).toEqual([]);
  });

  it('keeps the rows of a loop and finds them by their ords', async () => {
    const values = [1, 'zwei', { drei: [3] }, null];
    const ends = [{ place: 0, status: 'SUCCEEDED', result: { n: 1 } } as const];
    const hidden = { nodeId: 'each', phase: 'FOREACH', repeat: true, refOnly: true, final: false } as const;
    await written([
      stepRow(1, { nodeId: 'each', phase: 'FOREACH', output: { count: 4 } }),
      stepRow(2, { ...hidden, output: { items: values } }),
      stepRow(3, { ...hidden, output: { ends } }),
    ]);
    const rows = await test.store.readOutputs(idOf(1), 1, [
      { nodeId: 'each', at: 2 },
      { nodeId: 'each', at: 3 },
    ]);
    expect(rows.map(({ output }) => output)).toEqual([{ items: values }, { ends }]);
    // By the id of its node, only the row of the begin is found.
    expect((await test.store.readOutputs(idOf(1), 1, [{ nodeId: 'each' }])).map(({ ord }) => ord)).toEqual([1]);
  });

  it('finds what of an item is to be undone, and nothing of others', async () => {
    const [old, item] = [scopeOf(2, 0), scopeOf(5, 1)];
    await written([
      effectStep(3, { scope: old }),
      effectStep(4, { scope: old, outcome: 'unknown', effect: 'unknown', undoRank: 1, undoSort: 9 }),
      effectStep(6, { scope: item, visit: 2 }),
      effectStep(7, { scope: item, visit: 3, outcome: 'unknown', effect: 'unknown', undoRank: 1, undoSort: 2 }),
      effectStep(8, { scope: `${item}/split#1:a`, visit: 4 }),
    ]);
    const found: number[] = [];
    for (;;) {
      const target = await test.store.findUndo(idOf(1), 1, { scope: item, after: 5 });
      if (target === undefined) break;
      found.push(target.ord);
      const undo = [{ kind: 'set', ord: target.ord, undo: 'done' } as const];
      await test.store.checkpoint([checkpointOf(1, 'c', 1 + found.length, { undo })]);
    }
    expect(found).toEqual([7, 8, 6]);
    expect((await test.store.findUndo(idOf(1), 1, { scope: '' }))?.ord).toBe(4);
  });
}
