import { expect, it } from 'vitest';
import type { ExecutionStatus } from '../../../src/core/state.ts';
import type { NewExecution } from '../../../src/ports/store.ts';
import {
  callbackOffer,
  callRow,
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stepRow,
  summaryOf,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const day = 86_400_000;

function ended(n: number, status: ExecutionStatus, overrides: Partial<NewExecution> = {}): NewExecution {
  const summary = summaryOf(status, { completedAt: start + n });
  return newExecution(n, { state: endState('FAILED'), summary, ...overrides });
}

/** Removing what ended long ago. */
export function retention(test: StoreUnderTest): void {
  const left = async (): Promise<number[]> =>
    (await test.store.listExecutions({}, { limit: 50, order: 'asc' })).items.map(({ slot }) => slot);

  it('removes what ended before the instant, oldest first, up to a limit', async () => {
    const { store } = test;
    await store.submit([3, 1, 2, 4].map((n) => ended(n, 'SUCCEEDED')).concat(newExecution(5)));
    expect(await store.deleteCompleted(start + 4, 2)).toBe(2);
    expect(await left()).toEqual([3, 4, 5]);
    expect(await store.deleteCompleted(start + 4, 2)).toBe(1);
    expect(await store.deleteCompleted(start + 4, 2)).toBe(0);
    expect(await left()).toEqual([4, 5]);
  });

  it('keeps corrupted executions and unknown effects that no operator settled', async () => {
    const { store } = test;
    const unknown = { effect: 'unknown', outcome: 'unknown' } as const;
    const { undo: _undo, ...bare } = effectStep(1, unknown);
    await store.submit([
      ended(1, 'CORRUPTED'),
      ended(2, 'TERMINATED', { steps: [effectStep(1, unknown)] }),
      ended(3, 'FAILED', { steps: [bare] }),
      ended(4, 'FAILED', { steps: [effectStep(1, { ...unknown, undo: 'accepted' })] }),
      ended(5, 'FAILED', { steps: [effectStep(1, { ...unknown, undo: 'done' })] }),
      ended(6, 'TERMINATED', { steps: [effectStep(1)] }),
      ended(7, 'SUCCEEDED', { steps: [effectStep(1, unknown)] }),
    ]);
    expect(await store.deleteCompleted(start + 99, 50)).toBe(4);
    expect(await left()).toEqual([1, 2, 3]);
  });

  it('removes everything of an execution', async () => {
    const { store } = test;
    const make = (): NewExecution => newExecution(1, { labels: { k: 'v' }, steps: [stepRow(1)] });
    await store.submit([make(), newExecution(2, { labels: { k: 'v' } })]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await store.offer(callbackOffer(1, 'e1', 'hash'), start);
    const steps = Array.from({ length: 1500 }, (_, i) => effectStep(i + 2, { undo: 'done' }));
    const calls = Array.from({ length: 1500 }, (_, i) => callRow(i + 2));
    const over = { state: endState('FAILED'), summary: summaryOf('FAILED'), dueAt: null };
    await store.checkpoint([checkpointOf(1, 'c', 1, { ...over, steps, calls })]);
    expect(await store.deleteCompleted(start + day, 5)).toBe(1);
    expect(await store.getExecution(idOf(1))).toBeUndefined();
    expect((await store.listExecutions({ labels: { k: 'v' } }, { limit: 9 })).items.map(({ slot }) => slot)).toEqual([
      2,
    ]);
    // Nothing of the old one shows under the same id.
    expect(await store.submit([{ ...make(), steps: [] }])).toEqual([{ kind: 'created' }]);
    expect(await store.listSteps(idOf(1), { limit: 9 })).toEqual({ items: [] });
    expect(await store.listCalls(idOf(1), { limit: 9 })).toEqual({ items: [] });
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 0, inbox: [] });
    expect(await store.listEffects(idOf(1), 9)).toEqual([]);
  });

  it('removes a definition with the last execution that is pinned to it', async () => {
    const { store } = test;
    const pinned = { definitionHash: 'h2', definition: '{"name":"two"}' };
    await store.submit([ended(1, 'SUCCEEDED', pinned), ended(2, 'SUCCEEDED', pinned), newExecution(3)]);
    await store.deleteCompleted(start + 99, 1);
    expect(await store.getDefinitionBody('h2')).toBe('{"name":"two"}');
    await store.deleteCompleted(start + 99, 1);
    expect(await store.getDefinitionBody('h2')).toBeUndefined();
    expect(await store.getDefinitionBody('h1')).toBeDefined();
    expect(await store.submit([newExecution(4, pinned)])).toEqual([{ kind: 'created' }]);
    expect(await store.getDefinitionBody('h2')).toBe('{"name":"two"}');
  });

  it('keeps start keys for a day at least, and as long as their execution', async () => {
    const { store } = test;
    const startKey = (key: string): NonNullable<NewExecution['startKey']> => ({ caller: 'me', key, fingerprint: 'f' });
    await store.submit([
      ended(1, 'SUCCEEDED', { startKey: startKey('gone') }),
      newExecution(2, { startKey: startKey('kept') }),
    ]);
    const again = async (key: string): Promise<unknown> =>
      (await store.submit([newExecution(9, { startKey: { caller: 'me', key, fingerprint: 'probe' } })]))[0];
    expect(await store.deleteCompleted(start + 99, 9)).toBe(1);
    expect(await again('gone')).toEqual({ kind: 'reused' });
    expect(await store.deleteCompleted(start + 3 * day, 9)).toBe(0);
    expect(await again('kept')).toEqual({ kind: 'reused' });
    expect(await again('gone')).toEqual({ kind: 'created' });
  });
}
