import { expect, it } from 'vitest';
import type { ProcessInfo } from '../../../src/ports/processes.ts';
import { cancelOffer, checkpointOf, endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

function info(id: string, more: Partial<ProcessInfo> = {}): ProcessInfo {
  const podId = id.slice(0, id.lastIndexOf('/'));
  return { id, podId, version: '1.2.3', works: true, ttlMillis: 6_500, isSoleWorker: false, ...more };
}

/** Who lives by the store's word, and under whose claim an execution stands. */
export function processes(test: StoreUnderTest): void {
  it('shows the others that beat lately, each as it said last', async () => {
    const { store } = test;
    const first = await store.beat(info('pod\\a/1'), true);
    expect(Math.abs(first.now - (await store.ping()))).toBeLessThan(5_000);
    expect(first.others).toEqual([]);
    const second = await store.beat(info('pod-b/1', { works: false }), true);
    // The embedded store belongs to one process: it shows none.
    if (second.others.length === 0) return;
    expect(second.others).toEqual([{ ...info('pod\\a/1'), beatAt: expect.any(Number) as number }]);
    expect(Math.abs(second.now - (second.others[0]?.beatAt ?? 0))).toBeLessThan(5_000);
    await store.beat(info('pod\\a/1', { isSoleWorker: true, version: '1.3.0' }), false);
    expect((await store.beat(info('pod-b/1'), false)).others).toMatchObject([
      { id: 'pod\\a/1', isSoleWorker: true, version: '1.3.0' },
    ]);
  });

  it('forgets those that left, and former runs of a pod that starts anew', async () => {
    const { store } = test;
    for (const id of ['a/1', 'b/1', 'c/1']) await store.beat(info(id), true);
    const others = async (): Promise<string[]> => {
      const answer = await store.beat(info('watch/1'), false);
      return answer.others.map(({ id }) => id);
    };
    if ((await others()).length === 0) return;
    await store.endProcess('b/1');
    await store.endProcess('b/1');
    expect(await others()).toEqual(['a/1', 'c/1']);
    await store.beat(info('a/2'), true);
    expect(await others()).toEqual(['a/2', 'c/1']);
  });

  it('counts no claim of a process that lives', async () => {
    const { store } = test;
    await store.submit([newExecution(1), newExecution(2, { claim: 'pod/a/1' })]);
    const claims = async (n: number, claim: string, live?: readonly string[]): Promise<number | undefined> =>
      (await store.takeOver([{ id: idOf(n), claim }], start, live))[0]?.claims;
    expect(await claims(1, 'pod/a/1', ['pod/a', 'pod/b'])).toBe(1);
    expect(await claims(1, 'pod/b/1', ['pod/a', 'pod/b'])).toBe(1);
    expect(await claims(1, 'pod/c/1', ['pod/a', 'pod/c'])).toBe(2);
    expect(await claims(1, 'pod/c/2', ['pod/c'])).toBe(2);
    expect(await claims(1, 'pod/d/1', ['pod', 'pod/c/2', 'od/c'])).toBe(3);
    expect(await claims(1, 'pod/d/1', [])).toBe(3);
    expect(await claims(1, 'pod/e/1')).toBe(4);
    expect(await claims(2, 'pod/b/9', ['pod/a'])).toBe(1);
  });

  it('says under which claim executions stand, and of none that is over', async () => {
    const { store } = test;
    await store.submit([
      newExecution(1),
      newExecution(2, { claim: 'pod\\x/a/1' }),
      newExecution(3, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') }),
    ]);
    const ids = [1, 2, 3, 4].map((n) => idOf(n));
    const byId = async (): Promise<unknown[]> =>
      [...(await store.readClaims(ids))].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(await byId()).toEqual([
      { id: idOf(1), seq: 0, inboxSeq: 0 },
      { id: idOf(2), claim: 'pod\\x/a/1', seq: 0, inboxSeq: 0 },
    ]);
    await store.takeOver([{ id: idOf(1), claim: 'pod/b/1' }], start);
    await store.checkpoint([checkpointOf(2, 'pod\\x/a/1', 0)]);
    await store.offer(cancelOffer(2, idOf(2)), start);
    expect(await byId()).toEqual([
      { id: idOf(1), claim: 'pod/b/1', seq: 1, inboxSeq: 0 },
      { id: idOf(2), claim: 'pod\\x/a/1', seq: 1, inboxSeq: 1 },
    ]);
    expect(await store.readClaims([])).toEqual([]);
  });
}
