import { expect, it } from 'vitest';
import type { State } from '../../../src/core/state.ts';
import { idOf, newExecution, start, stateOf, stepRow, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** A state that no JSON can hold. */
export const unstorable: State = stateOf({ visits: { a: 1n as unknown as number } });

/** New executions and idempotent starts. */
export function submissions(test: StoreUnderTest): void {
  it('shows a submitted execution as it is', async () => {
    const { store } = test;
    const payload = '{"id":9007199254740993,"amount":10.10,"e":1E400,"__proto__":{"x":1},"s":"\\ud800 ü"}';
    const labels = { 'order.id': `A-"1"`, ключ: 'значение', __proto__x: '' };
    const x = newExecution(7, {
      payload,
      labels,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      steps: [stepRow(1)],
      dueAt: start + 5000,
    });
    expect(await store.submit([x])).toEqual([{ kind: 'created' }]);
    const read = async (): Promise<void> => {
      expect(await test.store.getExecution(x.id)).toEqual({
        ...summaryOf('IN_PROGRESS'),
        id: x.id,
        slot: 7,
        name: 'order',
        version: '1',
        definitionHash: 'h1',
        createdAt: start,
        labels,
        payload,
        traceparent: x.traceparent,
        seq: 0,
        inboxSeq: 0,
        state: x.state,
      });
      expect((await test.store.listSteps(x.id, { limit: 10 })).items).toEqual([stepRow(1)]);
    };
    await read();
    if (await test.reopen()) await read();
  });

  it('knows nothing of an execution that was not submitted', async () => {
    const { store } = test;
    expect(await store.getExecution(idOf(1))).toBeUndefined();
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 0, inbox: [] });
    expect(await store.listSteps(idOf(1), { limit: 5 })).toEqual({ items: [] });
    expect(await store.listCalls(idOf(1), { limit: 5 })).toEqual({ items: [] });
    expect(await store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).toEqual([]);
    expect(await store.listEffects(idOf(1), 5)).toEqual([]);
    expect(await store.findUndo(idOf(1), 1, { scope: '' })).toBeUndefined();
    expect(await store.findStanding(idOf(1), 'a', 1, 2)).toBeUndefined();
    expect(await store.takeOver([{ id: idOf(1), claim: 'c' }], start)).toEqual([]);
  });

  it('accepts the same batch again without doing anything twice', async () => {
    const { store } = test;
    const batch = [
      newExecution(1, { steps: [stepRow(1)], startKey: { caller: 'me', key: 'k', fingerprint: 'f' } }),
      newExecution(2),
    ];
    const created = [{ kind: 'created' }, { kind: 'created' }];
    expect(await store.submit(batch)).toEqual(created);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    expect(await store.submit(batch)).toEqual(created);
    expect((await store.getExecution(idOf(1)))?.seq).toBe(1);
    expect((await store.listSteps(idOf(1), { limit: 10 })).items).toHaveLength(1);
  });

  it('settles start keys, also within a batch', async () => {
    const { store } = test;
    const startKey = { caller: 'me', key: 'key "1"', fingerprint: 'f' };
    const results = await store.submit([
      newExecution(1, { startKey }),
      newExecution(2, { startKey }),
      newExecution(3, { startKey: { ...startKey, fingerprint: 'other' } }),
      newExecution(4, { startKey: { ...startKey, caller: 'you', fingerprint: 'other' } }),
    ]);
    expect(results).toEqual([
      { kind: 'created' },
      { kind: 'existing', id: idOf(1) },
      { kind: 'reused' },
      { kind: 'created' },
    ]);
    expect(await store.submit([newExecution(5, { startKey })])).toEqual([{ kind: 'existing', id: idOf(1) }]);
    expect(await store.getExecution(idOf(2))).toBeUndefined();
    expect(await store.getExecution(idOf(3))).toBeUndefined();
  });

  it('settles start keys that race in two batches', async () => {
    const { store } = test;
    const startKey = { caller: 'me', key: 'k', fingerprint: 'f' };
    const results = await Promise.all([1, 2, 3, 4].map((n) => store.submit([newExecution(n, { startKey })])));
    const winner = results.findIndex(([result]) => result?.kind === 'created') + 1;
    expect(winner).toBeGreaterThan(0);
    expect(results.flat().filter(({ kind }) => kind === 'created')).toHaveLength(1);
    expect(results.flat().filter((x) => x.kind === 'existing' && x.id === idOf(winner))).toHaveLength(3);
  });

  it('writes nothing where the definition must be stored and is not, or has other content', async () => {
    const { store } = test;
    const of = (version: string) => ({ name: 'stored', version, definitionHash: `h${version}`, mustBeStored: true });
    const put = (version: string, hash: string) => ({
      id: `d${version}`,
      name: 'stored',
      version,
      hash,
      definition: '{}',
      createdAt: start,
      updatedAt: start,
    });
    await store.putDefinition(put('1', 'h1'));
    await store.putDefinition(put('2', 'other'));
    const startKey = { caller: 'me', key: 'k', fingerprint: 'f' };
    const results = await store.submit([
      newExecution(1, of('1')),
      newExecution(2, { ...of('2'), labels: { a: 'b' }, steps: [stepRow(1)] }),
      newExecution(3, { ...of('3'), startKey }),
      newExecution(4, { ...of('3'), mustBeStored: false }),
      newExecution(5, { ...of('1'), startKey }),
      newExecution(6, { ...of('3'), startKey }),
    ]);
    const kinds = ['created', 'gone', 'gone', 'created', 'created', 'gone'];
    expect(results).toEqual(kinds.map((kind) => ({ kind })));
    for (const [i, kind] of kinds.entries()) {
      expect((await store.getExecution(idOf(i + 1))) !== undefined).toBe(kind === 'created');
    }
    expect((await store.listSteps(idOf(2), { limit: 5 })).items).toEqual([]);
    expect((await store.listExecutions({ labels: { a: 'b' } }, { limit: 5 })).items).toEqual([]);
  });

  it('knows an execution again whose definition went after its insert', async () => {
    const { store } = test;
    const record = {
      id: 'd',
      name: 'stored',
      version: '1',
      hash: 'h',
      definition: '{}',
      createdAt: start,
      updatedAt: start,
    };
    const x = { name: 'stored', version: '1', definitionHash: 'h', mustBeStored: true };
    const batch = [
      newExecution(1, x),
      newExecution(2, { ...x, startKey: { caller: 'me', key: 'k', fingerprint: 'f' } }),
    ];
    await store.putDefinition(record);
    await store.submit(batch);
    await store.deleteDefinition('d');
    expect(await store.submit([...batch, newExecution(3, x)])).toEqual([
      { kind: 'created' },
      { kind: 'created' },
      { kind: 'gone' },
    ]);
    await store.putDefinition({ ...record, id: 'd2' });
    expect(await store.submit([newExecution(3, x)])).toEqual([{ kind: 'created' }]);
  });

  it('keeps the claim of a direct start', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { claim: 'direct' })]);
    const [loaded] = await store.takeOver([{ id: idOf(1), claim: 'direct' }], start);
    expect(loaded).toMatchObject({ seq: 0, inboxSeq: 0, claims: 1 });
  });

  it('lets only the row fail that cannot be stored', async () => {
    const { store } = test;
    const results = await store.submit([newExecution(1), newExecution(2, { state: unstorable }), newExecution(3)]);
    expect(results).toEqual([
      { kind: 'created' },
      { kind: 'invalid', message: expect.any(String) as string },
      { kind: 'created' },
    ]);
    expect(await store.getExecution(idOf(2))).toBeUndefined();
    expect(await store.getExecution(idOf(3))).toBeDefined();
  });

  it('keeps the definition of each execution, once', async () => {
    const { store } = test;
    const definition = JSON.stringify({ name: 'big', text: 'ü'.repeat(200_000) });
    await store.submit([newExecution(1, { definitionHash: 'big', definition }), newExecution(2)]);
    await store.submit([newExecution(3, { definitionHash: 'big', definition })]);
    expect(await store.getDefinitionBody('big')).toBe(definition);
    expect(await store.getDefinitionBody('h1')).toBe('{"name":"order"}');
    expect((await store.getExecution(idOf(3)))?.definitionHash).toBe('big');
  });

  it('hands out copies', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { labels: { a: 'b' } })]);
    const first = await store.getExecution(idOf(1));
    if (first === undefined) throw new Error('It was submitted.');
    (first.labels as Record<string, string>)['a'] = 'changed';
    (first.state.tokens as unknown[]).length = 0;
    const second = await store.getExecution(idOf(1));
    expect(second?.labels).toEqual({ a: 'b' });
    expect(second?.state).toEqual(stateOf());
  });
}
