import { expect, it } from 'vitest';
import { wholeShardSet } from '../../../src/core/value/slot.ts';
import type { ExecutionFilter, TerminalChange } from '../../../src/ports/store.ts';
import {
  callRow,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const warning = { callbackWarning: 'The hook failed.' };
const later = start + 60_000;

/** Executions that are over, and whose hook is still to be delivered: they have a due time, and everything that comes with one. */
export function pendingHooks(test: StoreUnderTest): void {
  /** Ends 1 to 4: with a hook that is pending, that was given up, that was delivered, and (CORRUPTED) one that is pending. */
  async function ended(): Promise<void> {
    const { store } = test;
    await store.submit([1, 2, 3, 4, 5].map((n) => newExecution(n, { claim: 'c' })));
    await store.checkpoint([
      checkpointOf(1, 'c', 0, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED', warning), dueAt: later }),
      checkpointOf(2, 'c', 0, { state: endState('FAILED'), summary: summaryOf('FAILED', warning), dueAt: null }),
      checkpointOf(3, 'c', 0, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED'), dueAt: null }),
      checkpointOf(4, 'c', 0, { state: endState('CORRUPTED'), summary: summaryOf('CORRUPTED', warning), dueAt: later }),
    ]);
  }

  const list = async (filter: ExecutionFilter): Promise<readonly string[]> =>
    (await test.store.listExecutions(filter, { limit: 9 })).items.map(({ id }) => id);

  it('are due at their time, and taken over like any other', async () => {
    await ended();
    const due = async (): Promise<unknown> =>
      (await test.store.findDue(wholeShardSet, later, 9)).map(({ id, dueAt }) => [id, dueAt]);
    const expected = [
      [idOf(5), expect.any(Number)],
      [idOf(1), later],
      [idOf(4), later],
    ];
    expect(await due()).toEqual(expected);
    if (await test.reopen()) expect(await due()).toEqual(expected);
    const taken = await test.store.takeOver(
      [1, 2, 3, 4].map((n) => ({ id: idOf(n), claim: 'd' })),
      later,
    );
    expect(Object.fromEntries(taken.map(({ id, seq }) => [id, seq]))).toEqual({ [idOf(1)]: 2, [idOf(4)]: 2 });
    expect(await test.store.readClaims([idOf(1), idOf(2)])).toEqual([
      expect.objectContaining({ id: idOf(1), claim: 'd', seq: 2 }),
    ]);
  });

  it('stay due while they are called, park again, and are due no more once that is settled', async () => {
    const { store } = test;
    await ended();
    await store.takeOver([{ id: idOf(1), claim: 'd' }], later);
    const summary = summaryOf('SUCCEEDED', warning);
    const state = endState('SUCCEEDED');
    expect(await store.checkpoint([checkpointOf(1, 'd', 2, { state, summary })])).toMatchObject([{ kind: 'written' }]);
    const dueAt = async (): Promise<number | undefined> =>
      (await store.findDue(wholeShardSet, later * 2, 9)).find(({ id }) => id === idOf(1))?.dueAt;
    expect(await dueAt()).toBe(later);
    await store.checkpoint([checkpointOf(1, 'd', 3, { state, summary, dueAt: later + 5_000, calls: [callRow(1)] })]);
    expect(await dueAt()).toBe(later + 5_000);
    await store.checkpoint([checkpointOf(1, 'd', 4, { state, summary: summaryOf('SUCCEEDED'), dueAt: null })]);
    expect(await dueAt()).toBeUndefined();
    expect(await store.takeOver([{ id: idOf(1), claim: 'e' }], later)).toEqual([]);
  });

  it('are listed and counted by what became of their hook', async () => {
    await ended();
    const look = async (): Promise<unknown> => ({
      pending: await list({ hook: 'pending' }),
      failed: await list({ hook: 'failed' }),
      of: await list({ hook: 'pending', statuses: ['CORRUPTED', 'FAILED'] }),
      named: await list({ hook: 'failed', name: 'order', statuses: ['FAILED'] }),
      labelled: await list({ hook: 'pending', labels: { absent: 'yes' } }),
    });
    const expected = {
      pending: [idOf(4), idOf(1)],
      failed: [idOf(2)],
      of: [idOf(4)],
      named: await list({ name: 'order', statuses: ['FAILED'] }),
      labelled: [],
    };
    expect(await look()).toEqual(expected);
    const { statuses, pendingHooks: count } = await test.store.countActive(wholeShardSet);
    expect([statuses['SUCCEEDED'], statuses['CORRUPTED'], count]).toEqual([undefined, 1, 2]);
    const others = { count: 16_384, shards: [1] };
    expect((await test.store.countActive(others)).pendingHooks).toBe(1);
    if (await test.reopen()) expect(await look()).toEqual(expected);
  });

  it('are listed page by page', async () => {
    await ended();
    const first = await test.store.listExecutions({ hook: 'pending' }, { limit: 1 });
    expect(first.items.map(({ id }) => id)).toEqual([idOf(4)]);
    const second = await test.store.listExecutions({ hook: 'pending' }, { limit: 1, cursor: first.cursor ?? '' });
    expect([second.items.map(({ id }) => id), second.cursor]).toEqual([[idOf(1)], undefined]);
  });

  it('are not removed before that is settled, however old they are', async () => {
    const { store } = test;
    await ended();
    expect(await store.deleteCompleted(start * 2, 9)).toBe(2);
    expect(await list({})).toEqual([idOf(5), idOf(4), idOf(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'd' }], later);
    await store.checkpoint([
      checkpointOf(1, 'd', 2, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED', warning), dueAt: null }),
    ]);
    expect(await store.deleteCompleted(start * 2, 9)).toBe(1);
  });

  it('are changed by hand, which fences the worker that delivers, and keeps the record of its call', async () => {
    const { store } = test;
    await ended();
    await store.takeOver([{ id: idOf(1), claim: 'd' }], later);
    const change = (seq: number, overrides: Partial<TerminalChange>): TerminalChange => ({
      id: idOf(1),
      seq,
      writeId: `write-${String(seq)}`,
      state: endState('SUCCEEDED'),
      summary: summaryOf('SUCCEEDED', warning),
      dueAt: later + 1_000,
      steps: [],
      undo: [],
      ...overrides,
    });
    expect(await store.changeTerminal(change(1, {}))).toBe(false);
    expect(await store.changeTerminal(change(2, {}))).toBe(true);
    expect(await list({ hook: 'pending' })).toContain(idOf(1));
    expect(await store.checkpoint([checkpointOf(1, 'd', 3)])).toEqual([{ kind: 'fenced' }]);
    const goesOn = {
      state: stateOf({ round: 2 }),
      summary: summaryOf('IN_PROGRESS', { round: 2 }),
      calls: [callRow(1)],
      steps: [stepRow(2, { phase: 'HOOK', nodeId: 'onSuccessCallback' })],
    };
    expect(await store.changeTerminal(change(3, goesOn))).toBe(true);
    expect(await list({ hook: 'pending' })).not.toContain(idOf(1));
    expect((await store.listCalls(idOf(1), { limit: 9 })).items.map(({ ord }) => ord)).toEqual([1]);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items.map(({ ord }) => ord)).toEqual([2]);
    // It is not over any more.
    expect(await store.changeTerminal(change(4, {}))).toBe(false);
  });
}
