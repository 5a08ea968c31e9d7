import { expect, it } from 'vitest';
import type { StepRow, UndoMark } from '../../../src/core/history.ts';
import type { EffectFilter } from '../../../src/ports/store.ts';
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

/** What is to be compensated, and what stands. */
export function effects(test: StoreUnderTest): void {
  let seq = 0;

  async function running(): Promise<void> {
    await test.store.submit([newExecution(1)]);
    await test.store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    seq = 1;
  }

  async function write(steps: readonly StepRow[], undo: readonly UndoMark[] = []): Promise<void> {
    const [result] = await test.store.checkpoint([checkpointOf(1, 'c', seq, { steps, undo })]);
    expect(result?.kind).toBe('written');
    seq += 1;
  }

  /** Ends the round and begins this one, as a retry does. */
  async function retried(round: number): Promise<void> {
    const id = idOf(1);
    const over = { state: endState('FAILED'), summary: summaryOf('FAILED', { round: round - 1 }), dueAt: null };
    expect(await test.store.checkpoint([checkpointOf(1, 'c', seq, over)])).toMatchObject([{ kind: 'written' }]);
    const summary = summaryOf('IN_PROGRESS', { round });
    const begun = { state: stateOf({ round }), summary, dueAt: start, steps: [], undo: [] };
    expect(await test.store.changeTerminal({ id, seq: seq + 1, writeId: `retry ${round}`, ...begun })).toBe(true);
    await test.store.takeOver([{ id, claim: 'c' }], start);
    seq += 3;
  }

  async function undoAll(scope = '', round = 1, undo?: 'pending' | 'reopened'): Promise<number[]> {
    const order: number[] = [];
    for (;;) {
      const target = await test.store.findUndo(idOf(1), round, undo === undefined ? { scope } : { scope, undo });
      if (target === undefined) return order;
      order.push(target.ord);
      await write([], [{ kind: 'set', ord: target.ord, undo: 'done' }]);
    }
  }

  it('finds what to compensate by rank, then latest first', async () => {
    await running();
    await write([
      effectStep(1),
      effectStep(2, { effect: 'unknown', outcome: 'unknown', undoRank: 1, undoSort: 0 }),
      effectStep(3, { effect: 'unknown', outcome: 'unknown', undoRank: 1, undoSort: 2 }),
      effectStep(4, { outcome: 'rejected', undoRank: 3, undoSort: 4 }),
      effectStep(5),
      effectStep(6, { round: 2 }),
      stepRow(7),
    ]);
    expect(await undoAll()).toEqual([3, 2, 5, 1, 4]);
    expect(await undoAll('', 2)).toEqual([6]);
  });

  it('describes the target', async () => {
    await running();
    const prev = { nodeId: 'before', ord: 1 };
    await write([effectStep(2, { nodeId: 'nö.de', visit: 3, scope: '/s#1:x', prev, key: 'the key' })]);
    expect(await test.store.findUndo(idOf(1), 1, { scope: '' })).toEqual({
      nodeId: 'nö.de',
      visit: 3,
      round: 1,
      ord: 2,
      scope: '/s#1:x',
      outcome: 'succeeded',
      key: 'the key',
      prev,
    });
  });

  it('keeps to a scope and to a visit', async () => {
    await running();
    await write([
      effectStep(1, { scope: '' }),
      effectStep(2, { scope: '/s#1:x' }),
      effectStep(3, { scope: '/s#1:x/t#1:y' }),
      effectStep(4, { scope: '/s#1:xy' }),
      effectStep(5, { scope: '/s#1:%ff' }),
      effectStep(6, { scope: '/s#1:x', nodeId: 'b', visit: 2 }),
    ]);
    const { store } = test;
    const only = { nodeId: 'b', visit: 2 };
    expect((await store.findUndo(idOf(1), 1, { scope: '', only }))?.ord).toBe(6);
    expect((await store.findUndo(idOf(1), 1, { scope: '/s#1:x', only }))?.ord).toBe(6);
    expect(await store.findUndo(idOf(1), 1, { scope: '/s#1:xy', only })).toBeUndefined();
    expect(await store.findUndo(idOf(1), 1, { scope: '', only: { nodeId: 'b', visit: 1 } })).toBeUndefined();
    expect(await undoAll('/s#1:x')).toEqual([6, 3, 2]);
    expect(await undoAll('')).toEqual([5, 4, 1]);
  });

  it('opens failed compensations of a round again', async () => {
    await running();
    await write([
      effectStep(1, { undo: 'failed' }),
      effectStep(2, { undo: 'accepted' }),
      effectStep(3, { undo: 'failed', round: 2 }),
      effectStep(4, { undo: 'failed', effect: 'unknown', outcome: 'unknown', undoRank: 1, undoSort: 0 }),
      effectStep(5, { nodeId: 'b' }),
    ]);
    await write([], [{ kind: 'reopen', round: 1 }]);
    await retried(2);
    expect(await undoAll('', 2, 'reopened')).toEqual([]);
    expect((await test.store.findStanding(idOf(1), 'a', 1, 2))?.undo).toBe('reopened');
    expect(await undoAll('', 1, 'reopened')).toEqual([4, 1]);
    // What was never tried, since the execution was not to be undone, is none of a retry's business.
    expect(await undoAll()).toEqual([5]);
  });

  it('marks rows of the same checkpoint and shows the mark in the history', async () => {
    await running();
    await write([effectStep(1), stepRow(2)], [{ kind: 'set', ord: 1, undo: 'moved' }]);
    await write(
      [],
      [
        { kind: 'set', ord: 2, undo: 'accepted' },
        { kind: 'set', ord: 99, undo: 'done' },
      ],
    );
    const { items } = await test.store.listSteps(idOf(1), { limit: 9 });
    expect(items.map(({ undo }) => undo)).toEqual(['moved', 'accepted']);
    expect((await test.store.listEffects(idOf(1), 9)).map(({ undo }) => undo)).toEqual(['moved', 'accepted']);
  });

  it('lists effects and compensations of all rounds by ord, up to a limit', async () => {
    await running();
    const { undo: _undo, undoRank: _rank, undoSort: _sort, ...bare } = effectStep(3, { effect: 'unknown', round: 2 });
    const { effect: _effect, ...undoOnly } = effectStep(4, { undo: 'failed', outcome: 'rejected', undoRank: 3 });
    await write([stepRow(1), effectStep(2), bare, undoOnly]);
    const found = await test.store.listEffects(idOf(1), 9);
    expect(found.map(({ target, mutating, effect, undo }) => [target.ord, mutating, effect, undo])).toEqual([
      [2, true, 'succeeded', 'pending'],
      [3, true, 'unknown', undefined],
      [4, false, undefined, 'failed'],
    ]);
    expect(found[0]).toMatchObject({ fingerprint: 'print-2', undoRank: 2, undoSort: 2 });
    expect(await test.store.listEffects(idOf(1), 2)).toEqual(found.slice(0, 2));
  });

  it('lists effects of some rounds and kinds in the order of compensation', async () => {
    await running();
    const { undo: _undo, undoRank: _rank, undoSort: _sort, ...bare } = effectStep(6, { round: 2 });
    const { effect: _effect, ...undoOnly } = effectStep(7, { undo: 'accepted', round: 2, outcome: 'rejected' });
    await write([
      stepRow(1, { round: 2 }),
      effectStep(2),
      effectStep(3, { round: 2 }),
      effectStep(4, { round: 2, nodeId: 'b', visit: 2 }),
      effectStep(5, { round: 2, undo: 'done' }),
      bare,
      undoOnly,
      effectStep(8, { round: 2, undo: 'failed', effect: 'unknown', outcome: 'unknown', undoRank: 1, undoSort: 0 }),
      effectStep(9, { round: 2, undo: 'accepted' }),
    ]);
    const list = async (limit: number, filter: EffectFilter): Promise<readonly number[]> =>
      (await test.store.listEffects(idOf(1), limit, filter)).map(({ target }) => target.ord);
    expect(await list(9, { rounds: [2, 2], undo: ['pending'] })).toEqual([4, 3]);
    expect(await list(1, { rounds: [2, 2], undo: ['pending'] })).toEqual([4]);
    expect(await list(9, { rounds: [1, 2], undo: ['pending'] })).toEqual([2, 4, 3]);
    expect(await list(9, { rounds: [2, 2], undo: ['pending'], only: { nodeId: 'b' } })).toEqual([4]);
    expect(await list(9, { rounds: [2, 2], undo: ['pending'], only: { nodeId: 'b', visit: 1 } })).toEqual([]);
    expect(await list(9, { rounds: [2, 2], undo: ['reopened'] })).toEqual([]);
    // What was accepted, or has nothing that could undo it, counts as standing only where there is an effect.
    const all = await list(9, { rounds: [1, 2], undo: ['failed', 'accepted', 'none'] });
    expect(all.toSorted((a, b) => a - b)).toEqual([6, 8, 9]);
  });

  it('finds the latest effect of a visit that stands from earlier rounds', async () => {
    await running();
    const { undo: _undo, undoRank: _rank, undoSort: _sort, ...bare } = effectStep(7, { nodeId: 'bare' });
    await write([effectStep(1), bare]);
    await retried(2);
    await write([
      effectStep(12, { round: 2, undo: 'failed' }),
      effectStep(14, { round: 2, visit: 2 }),
      effectStep(15, { round: 2, nodeId: 'b', undo: 'moved' }),
      effectStep(16, { round: 2, nodeId: 'c' }),
    ]);
    await retried(3);
    await write([effectStep(23, { round: 3, undo: 'done' })], [{ kind: 'set', ord: 16, undo: 'moved' }]);
    await retried(4);
    await write([effectStep(36, { round: 4 })]);
    await retried(5);
    const find = async (nodeId: string, visit: number, round: number): Promise<number | undefined> =>
      (await test.store.findStanding(idOf(1), nodeId, visit, round))?.target.ord;
    expect(await find('a', 1, 4)).toBe(12);
    expect(await find('a', 1, 5)).toBe(36);
    expect(await find('a', 1, 2)).toBe(1);
    expect(await find('a', 1, 1)).toBeUndefined();
    expect(await find('a', 2, 4)).toBe(14);
    expect(await find('b', 1, 4)).toBeUndefined();
    expect(await find('c', 1, 4)).toBeUndefined();
    expect(await find('bare', 1, 2)).toBe(7);
    expect(await find('bare', 1, 5)).toBe(7);
    expect(await test.store.findStanding(idOf(1), 'a', 1, 4)).toMatchObject({
      mutating: true,
      fingerprint: 'print-12',
    });
  });

  it('lists standing effects of earlier rounds by their request', async () => {
    await running();
    await write([
      effectStep(1, { fingerprint: 'aa' }),
      effectStep(2, { fingerprint: 'bb', visit: 2 }),
      effectStep(3, { fingerprint: 'aa', visit: 3, undo: 'done' }),
      effectStep(4, { fingerprint: 'aa', visit: 4 }),
      effectStep(5, { fingerprint: 'aa', nodeId: 'b' }),
      withoutFingerprint(effectStep(6, { visit: 5, outcome: 'unknown', effect: 'unknown' })),
      withoutFingerprint(effectStep(7, { visit: 6 })),
    ]);
    await retried(2);
    await write([effectStep(12, { round: 2, fingerprint: 'aa', visit: 7 })]);
    const list = async (round: number): Promise<readonly number[]> =>
      (await test.store.listStandingRequests(idOf(1), 'a', round, 'aa')).map(({ target }) => target.ord);
    expect(await list(2)).toEqual([1, 4, 6]);
    expect(await list(1)).toEqual([]);
    await retried(3);
    expect(await list(3)).toEqual([1, 4, 6, 12]);
  });

  it('finds the children of earlier rounds that a node started alike, whatever their visits', async () => {
    const print = '-Az09_-Az09_-Az09_-Az09_-Az09_-Az09_-Az09_-A';
    await running();
    await write([
      effectStep(1, { phase: 'WORKFLOW', fingerprint: print, child: idOf(7), visit: 1 }),
      effectStep(2, { phase: 'WORKFLOW', fingerprint: `${print}x`, child: idOf(8), visit: 2 }),
    ]);
    await retried(2);
    await write([effectStep(12, { phase: 'WORKFLOW', round: 2, fingerprint: print, child: idOf(9), visit: 4 })]);
    await retried(3);
    const found = await test.store.listStandingRequests(idOf(1), 'a', 3, print);
    expect(found.map(({ child, target }) => [child, target.ord])).toEqual([
      [idOf(7), 1],
      [idOf(9), 12],
    ]);
  });

  it('tells when the visit of an effect began, or the earlier one whose key it sent', async () => {
    await running();
    await write([
      effectStep(1, { startedAt: 7_000 }),
      effectStep(2, { nodeId: 'b', startedAt: 7_000, begunAt: 5_000 }),
    ]);
    await retried(2);
    const begun = async (nodeId: string): Promise<number | undefined> =>
      (await test.store.findStanding(idOf(1), nodeId, 1, 2))?.begunAt;
    expect([await begun('a'), await begun('b')]).toEqual([7_000, 5_000]);
    const listed = await test.store.listEffects(idOf(1), 10);
    expect(listed.map(({ target, begunAt }) => [target.nodeId, begunAt])).toEqual(
      expect.arrayContaining([
        ['a', 7_000],
        ['b', 5_000],
      ]),
    );
  });
}

function withoutFingerprint({ fingerprint: _fingerprint, ...row }: StepRow): StepRow {
  return row;
}
