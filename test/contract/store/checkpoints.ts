import { wholeShardSet } from '../../../src/core/value/slot.ts';
import { expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../../src/core/value/json.ts';
import {
  callRow,
  cancelOffer,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  showStep,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { unstorable } from './submissions.ts';

/** Taking executions over, and what a claim may write. */
export function checkpoints(test: StoreUnderTest): void {
  it('takes over once per claim and counts claims without progress', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { traceparent: '00-a-b-01', labels: { k: 'v' }, payload: '{"n":1.10}' })]);
    const [first] = await store.takeOver([{ id: idOf(1), claim: 'one' }], start + 5);
    expect(first).toEqual({
      id: idOf(1),
      slot: 1,
      name: 'order',
      version: '1',
      definitionHash: 'h1',
      payload: '{"n":1.10}',
      labels: { k: 'v' },
      traceparent: '00-a-b-01',
      createdAt: start,
      seq: 1,
      inboxSeq: 0,
      claims: 1,
      dueAt: start,
      state: stateOf(),
      inbox: [],
    });
    expect(await store.takeOver([{ id: idOf(1), claim: 'one' }], start + 6)).toEqual([first]);
    const [second] = await store.takeOver([{ id: idOf(1), claim: 'two' }], start + 7);
    expect(second).toMatchObject({ seq: 2, claims: 2 });
    await store.checkpoint([checkpointOf(1, 'two', 2, { progress: false })]);
    expect((await store.takeOver([{ id: idOf(1), claim: 'three' }], start))[0]).toMatchObject({ seq: 4, claims: 3 });
    await store.checkpoint([checkpointOf(1, 'three', 4)]);
    expect((await store.takeOver([{ id: idOf(1), claim: 'four' }], start))[0]).toMatchObject({ seq: 6, claims: 1 });
  });

  it('makes a parked execution due when it is taken over, and leaves out terminal and absent ones', async () => {
    const { store } = test;
    await store.submit([
      newExecution(1, { dueAt: start + 9000 }),
      newExecution(2, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') }),
    ]);
    const claims = [1, 2, 3].map((n) => ({ id: idOf(n), claim: 'c' }));
    const loaded = await store.takeOver(claims, start + 100);
    expect(loaded.map(({ id, dueAt }) => ({ id, dueAt }))).toEqual([{ id: idOf(1), dueAt: start + 100 }]);
    const due = await store.findDue(wholeShardSet, start + 100, 10);
    expect(due).toEqual([{ id: idOf(1), slot: 1, dueAt: start + 100 }]);
  });

  it('writes state, summary and rows', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const state = stateOf({ ord: 2, visits: { 'naïve.node "x"': 1, __proto__x: 2 } });
    const summary = summaryOf('WAITING_CALLBACK', { updatedAt: start + 77, failedNodeId: 'x', reason: 'timeout' });
    const written = checkpointOf(1, 'c', 1, { state, summary, steps: [stepRow(1)], calls: [callRow(2)] });
    expect(await store.checkpoint([written])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
    const read = async (): Promise<void> => {
      expect(await test.store.getExecution(idOf(1))).toMatchObject({ ...summary, seq: 2, state });
      expect((await test.store.listSteps(idOf(1), { limit: 9 })).items).toEqual([stepRow(1)]);
      expect((await test.store.listCalls(idOf(1), { limit: 9 })).items).toEqual([callRow(2)]);
    };
    await read();
    if (await test.reopen()) await read();
  });

  it('writes the same checkpoint once', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const checkpoint = checkpointOf(1, 'c', 1, { steps: [stepRow(1)], calls: [callRow(2)], inboxSeq: 0 });
    const written = { kind: 'written', inboxSeq: 0 };
    expect(await store.checkpoint([checkpoint, checkpoint])).toEqual([written, written]);
    await store.offer(cancelOffer(1, 'event'), start);
    expect(await store.checkpoint([checkpoint])).toEqual([{ kind: 'written', inboxSeq: 1 }]);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items).toHaveLength(1);
    expect((await store.listCalls(idOf(1), { limit: 9 })).items).toHaveLength(1);
    expect((await store.getExecution(idOf(1)))?.seq).toBe(2);
  });

  it('fences a writer that lost the claim, is behind, or names nothing', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'old' }], start);
    await store.takeOver([{ id: idOf(1), claim: 'new' }], start);
    const results = await store.checkpoint([
      checkpointOf(1, 'old', 1, { steps: [stepRow(1)] }),
      checkpointOf(1, 'new', 0, { steps: [stepRow(1)] }),
      checkpointOf(1, 'new', 3, { steps: [stepRow(1)] }),
      checkpointOf(9, 'new', 2),
    ]);
    // The second is the seq before the claim's own: under this claim nothing else could have written it.
    expect(results.map(({ kind }) => kind).filter((_, i) => i !== 1)).toEqual(['fenced', 'fenced', 'fenced']);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items).toEqual([]);
    expect((await store.getExecution(idOf(1)))?.state).toEqual(stateOf());
    expect(await store.checkpoint([checkpointOf(1, 'new', 2)])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
  });

  it('hands over the inbox instead of writing when only it differs', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const offer = cancelOffer(1, 'event');
    await store.offer(offer, start);
    const parking = checkpointOf(1, 'c', 1, { inboxSeq: 0, steps: [stepRow(1)], dueAt: start + 50_000 });
    expect(await store.checkpoint([parking])).toEqual([{ kind: 'inbox', inboxSeq: 1, inbox: [offer.row] }]);
    expect((await store.getExecution(idOf(1)))?.seq).toBe(1);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items).toEqual([]);
    const consuming = { ...parking, inboxSeq: 1, consumed: ['event', 'unknown'] };
    expect(await store.checkpoint([consuming])).toEqual([{ kind: 'written', inboxSeq: 1 }]);
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 1, inbox: [] });
  });

  it('reports the present inbox seq to a running checkpoint', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await store.offer(cancelOffer(1, 'event'), start);
    expect(await store.checkpoint([checkpointOf(1, 'c', 1)])).toEqual([{ kind: 'written', inboxSeq: 1 }]);
    expect((await store.readInbox(idOf(1))).inbox).toHaveLength(1);
  });

  it('moves the due time only where told to', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const dueAt = async (): Promise<number | undefined> =>
      (await store.findDue(wholeShardSet, start + 1e9, 1))[0]?.dueAt;
    await store.checkpoint([checkpointOf(1, 'c', 1)]);
    expect(await dueAt()).toBe(start);
    await store.checkpoint([checkpointOf(1, 'c', 2, { dueAt: start + 60_000 })]);
    expect(await dueAt()).toBe(start + 60_000);
    const ended = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED'), dueAt: null };
    await store.checkpoint([checkpointOf(1, 'c', 3, ended)]);
    expect(await dueAt()).toBeUndefined();
    expect(await store.takeOver([{ id: idOf(1), claim: 'd' }], start)).toEqual([]);
    expect((await store.getExecution(idOf(1)))?.state).toEqual(endState('SUCCEEDED'));
  });

  it('keeps digits of numbers, large bodies and odd texts in rows', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const text = `{"big":9007199254740993,"amount":10.10,"text":${JSON.stringify('é\u0000\n"😀'.repeat(100_000))}}`;
    const body = parseJson(text);
    const odd = { nodeId: 'nöde.1/"x"\'', scope: '/split%23#1:branch' };
    const step = stepRow(1, { ...odd, output: { response: { status: 200, headers: { 'x-a': '1' }, body } } });
    await store.checkpoint([checkpointOf(1, 'c', 1, { steps: [step], calls: [callRow(2, { nodeId: odd.nodeId })] })]);
    const [read] = await store.readOutputs(idOf(1), 1, [{ nodeId: odd.nodeId }]);
    expect(stringifyJson(read?.output?.response?.body ?? null)).toBe(stringifyJson(body));
    expect(stringifyJson(read?.output?.response?.body ?? null)).toContain('"amount":10.10');
    expect(read).toMatchObject({ ...odd, ord: 1 });
    expect((await store.listSteps(idOf(1), { limit: 1 })).items).toMatchObject([
      { ...odd, ord: 1, shown: showStep(step) },
    ]);
  });

  it('lets only the row fail that cannot be stored', async () => {
    const { store } = test;
    await store.submit([1, 2, 3, 4].map((n) => newExecution(n)));
    await store.takeOver(
      [1, 2, 3, 4].map((n) => ({ id: idOf(n), claim: 'c' })),
      start,
    );
    const results = await store.checkpoint([
      checkpointOf(1, 'c', 1, { steps: [stepRow(1)] }),
      checkpointOf(2, 'c', 1, { state: unstorable }),
      checkpointOf(3, 'c', 1, { steps: [stepRow(1), stepRow(Number.NaN)] }),
      checkpointOf(4, 'c', 1, { steps: [stepRow(1)] }),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual(['written', 'invalid', 'invalid', 'written']);
    const seqs = await Promise.all([1, 2, 3, 4].map(async (n) => (await store.getExecution(idOf(n)))?.seq));
    expect(seqs).toEqual([2, 1, 1, 2]);
    expect((await store.listSteps(idOf(3), { limit: 9 })).items).toEqual([]);
    expect(await store.checkpoint([checkpointOf(3, 'c', 1)])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
  });
}
