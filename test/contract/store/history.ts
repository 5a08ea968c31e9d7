import { expect, it } from 'vitest';
import type { CallRow, StepRow } from '../../../src/core/history.ts';
import { Outputs, type OutputQuery } from '../../../src/core/context/outputs.ts';
import { BadCursor } from '../../../src/ports/store.ts';
import { OutputsTooLarge } from '../../../src/ports/store-bounds.ts';
import { callRow, checkpointOf, idOf, newExecution, start, stepRow } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** Reading rows back. */
export function history(test: StoreUnderTest): void {
  async function written(steps: readonly StepRow[], calls: readonly number[] = []): Promise<void> {
    const { store } = test;
    await store.submit([newExecution(1), newExecution(2, { steps: [stepRow(1, { nodeId: 'other' })] })]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await store.checkpoint([checkpointOf(1, 'c', 1, { steps, calls: calls.map((ord) => callRow(ord)) })]);
  }

  const ords = (rows: readonly { readonly ord: number }[]): number[] => rows.map(({ ord }) => ord);

  it('pages rows by ord, both ways', async () => {
    const { store } = test;
    await written(
      [1, 3, 5, 7].map((ord) => stepRow(ord)),
      [2, 4, 6],
    );
    const first = await store.listSteps(idOf(1), { limit: 3 });
    expect(ords(first.items)).toEqual([1, 3, 5]);
    const second = await store.listSteps(idOf(1), { limit: 3, cursor: first.cursor ?? '' });
    expect(ords(second.items)).toEqual([7]);
    expect(second).not.toHaveProperty('cursor');
    const newest = await store.listSteps(idOf(1), { limit: 2, order: 'desc' });
    expect(ords(newest.items)).toEqual([7, 5]);
    const older = await store.listSteps(idOf(1), { limit: 2, order: 'desc', cursor: newest.cursor ?? '' });
    expect(ords(older.items)).toEqual([3, 1]);
    expect(ords((await store.listSteps(idOf(1), { limit: 9, afterOrd: 3 })).items)).toEqual([5, 7]);
    expect(ords((await store.listSteps(idOf(1), { limit: 9, offset: 3 })).items)).toEqual([7]);
    const calls = await store.listCalls(idOf(1), { limit: 2 });
    expect(ords(calls.items)).toEqual([2, 4]);
    expect(ords((await store.listCalls(idOf(1), { limit: 2, cursor: calls.cursor ?? '' })).items)).toEqual([6]);
    expect(ords((await store.listCalls(idOf(1), { limit: 2, order: 'desc' })).items)).toEqual([6, 4]);
    // Instead of a cursor, a page may begin after an ord.
    for (const order of ['asc', 'desc'] as const) {
      const steps = await store.listSteps(idOf(1), { limit: 2, order, after: 4 });
      expect(ords(steps.items)).toEqual(order === 'asc' ? [5, 7] : [3, 1]);
      const some = await store.listCalls(idOf(1), { limit: 1, order, after: 4 });
      expect(ords(some.items)).toEqual([order === 'asc' ? 6 : 2]);
    }
    expect(ords((await store.listCalls(idOf(1), { limit: 9, after: -1 })).items)).toEqual([2, 4, 6]);
  });

  it('pages calls of their own and calls that steps record as they were written', async () => {
    const { store } = test;
    const own = { nodeId: 'b', visit: 2, statusCode: 503, outcome: 'rejected' as const };
    const waited = { since: start - 5, cause: 'hold', holdId: 'h-1' } as const;
    const calls = [
      recordedBy(2),
      callRow(3, { ...own, attempt: 1, error: 'busy' }),
      recordedBy(5, { ...own, attempt: 2 }),
      callRow(6, { statusCode: 201, waited: { since: start - 9, cause: 'slots', host: 'a:80' } }),
      recordedBy(10, { waited }),
    ];
    const steps = [
      stepRow(2),
      stepRow(5, { nodeId: 'b', visit: 2, outcome: 'rejected', statusCode: 503, attempt: 2 }),
      stepRow(7, { statusCode: 500 }),
      stepRow(8),
      stepRow(10),
    ];
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const [first, second, third, fourth, last] = steps as [StepRow, StepRow, StepRow, StepRow, StepRow];
    const { call, ...row } = recording(last);
    const blocked = { ...row, ...(call !== undefined && { call: { ...call, waited } }) };
    const recorded = [recording(first), recording(second), third, fourth, blocked];
    await store.checkpoint([
      checkpointOf(1, 'c', 1, { steps: recorded, calls: calls.filter(({ ord }) => ord === 3 || ord === 6) }),
    ]);
    expect((await store.listCalls(idOf(1), { limit: 9 })).items).toEqual(calls);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items).toEqual(steps);
    for (const order of ['asc', 'desc'] as const) {
      const expected = order === 'asc' ? calls : calls.toReversed();
      for (const limit of [1, 2, 3]) {
        const read: unknown[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.listCalls(idOf(1), { limit, order, ...(cursor === undefined ? {} : { cursor }) });
          read.push(...page.items);
          cursor = page.cursor;
        } while (cursor !== undefined);
        expect(read).toEqual(expected);
        expect((await store.listCalls(idOf(1), { limit, order, offset: 1 })).items).toEqual(
          expected.slice(1, 1 + limit),
        );
      }
    }
  });

  it('shows rows that were added behind a cursor', async () => {
    const { store } = test;
    await written([stepRow(1), stepRow(2)]);
    const first = await store.listSteps(idOf(1), { limit: 1 });
    await store.checkpoint([checkpointOf(1, 'c', 2, { steps: [stepRow(3)] })]);
    expect(ords((await store.listSteps(idOf(1), { limit: 9, cursor: first.cursor ?? '' })).items)).toEqual([2, 3]);
  });

  it('refuses cursors of others', async () => {
    const { store } = test;
    await written([stepRow(1), stepRow(2)], [3, 4]);
    const steps = (await store.listSteps(idOf(1), { limit: 1 })).cursor ?? '';
    const calls = (await store.listCalls(idOf(1), { limit: 1 })).cursor ?? '';
    await expect(store.listSteps(idOf(1), { limit: 1, cursor: calls })).rejects.toThrow(BadCursor);
    await expect(store.listCalls(idOf(1), { limit: 1, cursor: steps })).rejects.toThrow(BadCursor);
    await expect(store.listSteps(idOf(1), { limit: 1, cursor: '' })).rejects.toThrow(BadCursor);
    await expect(store.listExecutions({}, { limit: 1, cursor: steps })).rejects.toThrow(BadCursor);
    const forged = Buffer.from('["step","1; drop"]').toString('base64url');
    await expect(store.listSteps(idOf(1), { limit: 1, cursor: forged })).rejects.toThrow(BadCursor);
  });

  it('reads the answers of the latest visit as of an ord', async () => {
    const { store } = test;
    const body = (text: string): Pick<StepRow, 'output'> => ({
      output: { response: { status: 200, headers: {}, body: text } },
    });
    await written([
      stepRow(1, { visit: 1, ...body('a1') }),
      stepRow(2, {
        nodeId: 'b',
        visit: 1,
        output: { accepted: { status: 202, headers: {}, body: null } },
        final: false,
      }),
      stepRow(3, { nodeId: 'b', visit: 1, phase: 'CALLBACK', ...body('b1') }),
      stepRow(4, { visit: 2, ...body('a2') }),
      // Without answer and key, judged pending, of another round: none of them is anybody's answer.
      withoutAnswer(stepRow(5, { visit: 3, phase: 'SLEEP' })),
      stepRow(6, { nodeId: 'b', visit: 2, phase: 'CALLBACK', outcome: 'pending' }),
      stepRow(7, { round: 2, ...body('round 2') }),
      stepRow(8, { visit: 2, phase: 'DOWN', output: { downBody: 'undone' } }),
      stepRow(9, { visit: 1, phase: 'DOWN', output: { downBody: 'undone 1' } }),
      withoutAnswer(stepRow(10, { visit: 2, phase: 'DOWN' })),
    ]);
    const read = async (...queries: OutputQuery[]): Promise<number[]> =>
      ords(await store.readOutputs(idOf(1), 1, queries));
    expect(await read({ nodeId: 'a' })).toEqual([4, 8]);
    expect(await read({ nodeId: 'a', before: 8 })).toEqual([4]);
    expect(await read({ nodeId: 'a', before: 4 })).toEqual([1]);
    expect(await read({ nodeId: 'a', before: 1 })).toEqual([]);
    expect(await read({ nodeId: 'b' })).toEqual([2, 3]);
    expect(await read({ nodeId: 'b', before: 3 })).toEqual([2]);
    expect(await read({ nodeId: 'b' }, { nodeId: 'a', before: 4 }, { nodeId: 'a' }, { nodeId: 'no' })).toEqual([
      1, 2, 3, 4, 8,
    ]);
    expect(ords(await store.readOutputs(idOf(1), 2, [{ nodeId: 'a' }]))).toEqual([7]);
    const view = Outputs.empty.with(await store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).find('a', '');
    expect(view).toMatchObject({ visit: 2, response: { body: 'a2' }, downBody: 'undone', idempotencyKey: 'key-4' });
  });

  it('finds an output that is read by reference only by its ord, and not by its node', async () => {
    const { store } = test;
    const large = { output: { response: { status: 200, headers: {}, body: 'x'.repeat(20_000) } } };
    const rows = [
      stepRow(1),
      stepRow(2, { visit: 2 }),
      stepRow(4, { nodeId: 'b', ...large }),
      stepRow(6, { round: 2 }),
    ];
    const undone = stepRow(5, { phase: 'DOWN', output: { downBody: 'undone' } });
    await written([rows[0]!, ...rows.slice(1).map((row) => ({ ...row, refOnly: true as const })), undone]);
    const read = (...queries: OutputQuery[]): Promise<readonly StepRow[]> => store.readOutputs(idOf(1), 1, queries);
    expect(await read({ nodeId: 'a' })).toEqual([rows[0], undone]);
    expect(await read({ nodeId: 'b' }, { nodeId: 'a', before: 1 })).toEqual([]);
    expect(await read({ nodeId: 'b', at: 4 })).toEqual([rows[2]]);
    expect(await read({ nodeId: 'b', at: 4 }, { nodeId: 'a', at: 2 }, { nodeId: 'a', before: 5 })).toEqual(
      rows.slice(0, 3),
    );
    expect(await read({ nodeId: 'b', at: 3 })).toEqual([]);
    await expect(store.readOutputs(idOf(1), 1, [{ nodeId: 'b', at: 4 }], 10_000)).rejects.toThrow(OutputsTooLarge);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items.map(({ ord }) => ord)).toEqual([1, 2, 4, 5, 6]);
  });

  it('counts a row with nothing but a key as an answer', async () => {
    const { store } = test;
    const { output: _none, ...keyOnly } = stepRow(1, { outcome: 'unknown' });
    await written([keyOnly]);
    expect(await store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).toEqual([keyOnly]);
  });
}

/** The row with the attempt that it records. */
function recording(row: StepRow): StepRow {
  const { exchange } = callRow(1);
  return { ...row, call: { callId: row.ord - 1, ...(exchange === undefined ? undefined : { exchange }) } };
}

/** The attempt that such a row at `ord` records. */
function recordedBy(ord: number, changes: Partial<CallRow> = {}): CallRow {
  return callRow(ord - 1, { idempotencyKey: `key-${String(ord)}`, ...changes });
}

function withoutAnswer(row: StepRow): StepRow {
  const { output: _output, key: _key, ...rest } = row;
  return rest;
}
