import { expect, it } from 'vitest';
import type { ProcessInfo } from '../../../src/ports/processes.ts';
import { cancelOffer, checkpointOf, endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import type { TakeOverBounds } from '../../../src/ports/store-bounds.ts';
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

  it('leaves out what was claimed in vain too often, and reads only the row of what was claimed oftener still', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { payload: '{"n":1}' }), newExecution(2)]);
    const offer = {
      executionId: idOf(1),
      row: { id: 'e', at: start, event: { type: 'terminated', inboxId: 'e' } },
    } as const;
    expect((await store.offer(offer, start)).kind).toBe('accepted');
    const claimAll = (claim: string, bounds: TakeOverBounds): ReturnType<typeof store.takeOver> =>
      store.takeOver(
        [1, 2].map((n) => ({ id: idOf(n), claim })),
        start,
        [],
        bounds,
      );
    const whole = { payload: '{"n":1}', inbox: [offer.row] };
    for (const n of [1, 2, 3]) {
      const [first, second] = await claimAll(`pod/${String(n)}/1`, { wholeUpTo: 3 });
      expect(first).toMatchObject({ claims: n, ...whole });
      expect(second).toMatchObject({ claims: n, inbox: [] });
    }
    expect(await claimAll('pod/4/1', { below: 3, wholeUpTo: 3 })).toEqual([]);
    expect((await store.readClaims([idOf(1)]))[0]).toMatchObject({ claim: 'pod/3/1', seq: 3 });
    const [again] = await claimAll('pod/3/1', { below: 3, wholeUpTo: 3 });
    expect(again).toMatchObject({ claims: 3, seq: 3, ...whole });
    const [bare] = await claimAll('pod/4/1', { below: Infinity, wholeUpTo: 3, maxPayloadBytes: Infinity });
    expect(bare).toMatchObject({ claims: 4, payload: '', inbox: [], state: { round: 1 } });
    await store.checkpoint([checkpointOf(1, 'pod/4/1', 4, { progress: false, claims: 2 })]);
    expect((await claimAll('pod/5/1', { below: 3, wholeUpTo: 3 }))[0]).toMatchObject({ claims: 3, ...whole });
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
