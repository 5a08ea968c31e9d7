import { expect, it } from 'vitest';
import { wholeShardSet } from '../../../src/core/value/slot.ts';
import type { TerminalChange } from '../../../src/ports/store.ts';
import {
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

function retry(seq: number, overrides: Partial<TerminalChange> = {}): TerminalChange {
  return {
    id: idOf(1),
    seq,
    writeId: 'write-1',
    state: stateOf({ round: 2 }),
    summary: summaryOf('IN_PROGRESS', { round: 2, startedAt: start + 5000, updatedAt: start + 5000 }),
    dueAt: start + 5000,
    steps: [],
    undo: [],
    ...overrides,
  };
}

/** Retry and resolve of executions that are over. */
export function terminalChanges(test: StoreUnderTest): void {
  async function failed(): Promise<void> {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const summary = summaryOf('FAILED', { reason: 'status_4xx', failedNodeId: 'a', failureDescription: 'no' });
    const ended = { state: endState('FAILED'), summary, dueAt: null, steps: [effectStep(1, { undo: 'failed' })] };
    await store.checkpoint([checkpointOf(1, 'c', 1, ended)]);
  }

  it('begins a new round: due, without failure, without a holder', async () => {
    const { store } = test;
    await failed();
    const change = retry(2, {
      steps: [stepRow(2, { phase: 'RESOLVE', round: 2 })],
      undo: [{ kind: 'reopen', round: 1 }],
    });
    expect(await store.changeTerminal(change)).toBe(true);
    const read = await store.getExecution(idOf(1));
    expect(read).toMatchObject({ ...change.summary, seq: 3, state: change.state });
    for (const key of ['completedAt', 'reason', 'failedNodeId', 'failureDescription'])
      expect(read).not.toHaveProperty(key);
    expect((await store.findDue(wholeShardSet, start + 1e9, 9))[0]?.dueAt).toBe(start + 5000);
    expect((await store.findUndo(idOf(1), 1, { scope: '', undo: 'reopened' }))?.ord).toBe(1);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items.map(({ ord }) => ord)).toEqual([1, 2]);
    expect(await store.checkpoint([checkpointOf(1, 'c', 3)])).toEqual([{ kind: 'fenced' }]);
    expect((await store.takeOver([{ id: idOf(1), claim: 'd' }], start + 5000))[0]).toMatchObject({ seq: 4, claims: 1 });
  });

  it('is true again for the same change, also after a worker took over', async () => {
    const { store } = test;
    await failed();
    const change = retry(2, { steps: [stepRow(2)] });
    expect(await store.changeTerminal(change)).toBe(true);
    expect(await store.changeTerminal(change)).toBe(true);
    await store.takeOver([{ id: idOf(1), claim: 'd' }], start + 5000);
    expect(await store.changeTerminal(change)).toBe(true);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items).toHaveLength(2);
    expect((await store.getExecution(idOf(1)))?.seq).toBe(4);
  });

  it('is false for another seq, a running execution, and an absent one', async () => {
    const { store } = test;
    await failed();
    expect(await store.changeTerminal(retry(1))).toBe(false);
    expect(await store.changeTerminal(retry(2, { id: idOf(2) }))).toBe(false);
    expect(await store.changeTerminal(retry(2))).toBe(true);
    expect(await store.changeTerminal(retry(3, { writeId: 'write-2' }))).toBe(false);
  });

  it('lets one of two racing changes win', async () => {
    const { store } = test;
    await failed();
    const results = await Promise.all(['x', 'y'].map((writeId) => store.changeTerminal(retry(2, { writeId }))));
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  it('may leave it terminal, with what stands reckoned anew', async () => {
    const { store } = test;
    await failed();
    const standing = async (): Promise<number> =>
      (await store.listExecutions({ standing: true }, { limit: 9 })).items.length;
    expect(await standing()).toBe(1);
    const summary = summaryOf('FAILED');
    const undo = [{ kind: 'set', ord: 1, undo: 'resolved' }] as const;
    expect(await store.changeTerminal(retry(2, { state: endState('FAILED'), summary, dueAt: null, undo }))).toBe(true);
    expect(await standing()).toBe(0);
    expect(await store.findDue(wholeShardSet, start + 1e9, 9)).toEqual([]);
  });
}
