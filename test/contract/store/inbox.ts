import { expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../../src/core/value/json.ts';
import { wholeShardSet } from '../../../src/core/value/slot.ts';
import {
  callbackOffer,
  cancelOffer,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  summaryOf,
  waitingState,
} from '../fixtures/executions.ts';
import type { Offer } from '../../../src/ports/store.ts';
import type { Revision } from '../../../src/ports/store/revision.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** Events from outside. */
export function inbox(test: StoreUnderTest): void {
  const everything = wholeShardSet;

  async function waiting(): Promise<void> {
    const summary = summaryOf('WAITING_CALLBACK');
    await test.store.submit([newExecution(1, { state: waitingState('a', 'nonce-1'), summary, dueAt: start + 60_000 })]);
  }

  it('knows no execution that does not exist', async () => {
    expect(await test.store.offer(cancelOffer(1, 'e'), start)).toEqual({ kind: 'unknown' });
    expect(await test.store.offer(callbackOffer(1, 'e', 'hash'), start)).toEqual({ kind: 'unknown' });
  });

  it('appends, in order, and makes the execution due', async () => {
    const { store } = test;
    await waiting();
    const body = parseJson('{"amount":10.10,"id":9007199254740993}');
    const callback = callbackOffer(1, 'e1', 'hash', { body });
    expect(await store.offer(callback, start + 100)).toEqual({ kind: 'accepted' });
    expect(await store.offer(cancelOffer(1, 'e0'), start + 200)).toEqual({ kind: 'accepted' });
    const read = await store.readInbox(idOf(1));
    expect(read.inboxSeq).toBe(2);
    expect(read.inbox.map(({ id }) => id)).toEqual(['e1', 'e0']);
    expect(read.inbox[1]).toEqual(cancelOffer(1, 'e0').row);
    const [first] = read.inbox;
    expect(first?.event.type === 'callback' && stringifyJson(first.event.body)).toBe(stringifyJson(body));
    expect(await store.findDue(everything, start + 100, 9)).toEqual([{ id: idOf(1), slot: 1, dueAt: start + 100 }]);
    const [loaded] = await store.takeOver([{ id: idOf(1), claim: 'c' }], start + 300);
    expect(loaded).toMatchObject({ inboxSeq: 2, dueAt: start + 100 });
    expect(loaded?.inbox.map(({ id }) => id)).toEqual(['e1', 'e0']);
  });

  it('takes an offer that expects revisions at one of them alone, before it judges anything else', async () => {
    const { store } = test;
    await waiting();
    const expecting = (id: string, ...expected: readonly Revision[]): Offer => ({ ...cancelOffer(1, id), expected });
    const now = { seq: 0, inboxSeq: 0 };
    expect(await store.offer(expecting('e1', { seq: 1, inboxSeq: 0 }, { seq: 0, inboxSeq: 1 }), start)).toEqual({
      kind: 'changed',
    });
    expect(await store.offer(expecting('e1'), start)).toEqual({ kind: 'changed' });
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 0, inbox: [] });
    expect(await store.offer(expecting('e1', { seq: 9, inboxSeq: 9 }, now), start)).toEqual({ kind: 'accepted' });
    // The same offer again has been accepted; another one at that revision comes too late.
    expect(await store.offer(expecting('e1', now), start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(expecting('e2', now), start)).toEqual({ kind: 'changed' });
    const { seq, inboxSeq } = (await store.getProgress(idOf(1))) ?? {};
    expect([seq, inboxSeq]).toEqual([0, 1]);
    await store.submit([newExecution(2, { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') })]);
    expect((await store.offer({ ...cancelOffer(2, 'e'), expected: [{ seq: 5, inboxSeq: 0 }] }, start)).kind).toBe(
      'changed',
    );
    expect((await store.offer({ ...cancelOffer(2, 'e'), expected: [now] }, start)).kind).toBe('conflict');
  });

  it('accepts the same offer again without appending', async () => {
    const { store } = test;
    await waiting();
    const offer = callbackOffer(1, 'e1', 'hash');
    expect(await store.offer(offer, start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(offer, start)).toEqual({ kind: 'accepted' });
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await store.checkpoint([checkpointOf(1, 'c', 1, { consumed: ['e1'] })]);
    expect(await store.offer(offer, start)).toEqual({ kind: 'accepted' });
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 1, inbox: [] });
  });

  it('knows a callback by its body, also when it was consumed and after the end', async () => {
    const { store } = test;
    await waiting();
    await store.offer(callbackOffer(1, 'e1', 'hash'), start);
    const repeated = async (): Promise<void> => {
      expect(await test.store.offer(callbackOffer(1, 'e2', 'hash'), start)).toEqual({
        kind: 'duplicate',
        pending: false,
      });
      expect(await test.store.offer(callbackOffer(1, 'e3', 'other'), start)).toEqual({ kind: 'other_body' });
    };
    await repeated();
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await store.checkpoint([checkpointOf(1, 'c', 1, { consumed: ['e1'] })]);
    await repeated();
    const ended = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED'), dueAt: null };
    await store.checkpoint([checkpointOf(1, 'c', 2, ended)]);
    await repeated();
    if (await test.reopen()) await repeated();
    expect((await test.store.readInbox(idOf(1))).inboxSeq).toBe(1);
  });

  it('judges bodies after a pending one afresh', async () => {
    const { store } = test;
    await waiting();
    const pending = { pending: true };
    expect(await store.offer(callbackOffer(1, 'e1', 'p', pending), start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(callbackOffer(1, 'e2', 'p', pending), start)).toEqual({
      kind: 'duplicate',
      pending: true,
    });
    expect(await store.offer(callbackOffer(1, 'e3', 'done'), start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(callbackOffer(1, 'e4', 'done'), start)).toEqual({ kind: 'duplicate', pending: false });
    expect((await store.readInbox(idOf(1))).inboxSeq).toBe(2);
  });

  it('refuses what does not apply, and writes nothing then', async () => {
    const { store } = test;
    await store.submit([
      newExecution(1),
      newExecution(2, { state: endState('FAILED'), summary: summaryOf('FAILED'), dueAt: start }),
    ]);
    expect(await store.offer(callbackOffer(1, 'e1', 'hash'), start)).toEqual({ kind: 'not_waiting' });
    expect(await store.offer(cancelOffer(2, 'e1'), start)).toMatchObject({ kind: 'conflict' });
    expect(await store.readInbox(idOf(1))).toEqual({ inboxSeq: 0, inbox: [] });
    expect(await store.readInbox(idOf(2))).toEqual({ inboxSeq: 0, inbox: [] });
    expect((await store.findDue(everything, start + 1e9, 9)).map(({ dueAt }) => dueAt)).toEqual([start]);
  });

  it('knows the token of an earlier operation', async () => {
    const { store } = test;
    const state = waitingState('a', 'nonce-2');
    const [token] = state.tokens;
    if (token?.stage.kind !== 'waiting') throw new Error('The fixture waits.');
    const later = { ...token, stage: { ...token.stage, task: { ...token.stage.task, operation: 2 } } };
    await store.submit([newExecution(1, { state: { ...state, tokens: [later] } })]);
    expect(await store.offer(callbackOffer(1, 'e1', 'hash'), start)).toEqual({ kind: 'earlier_operation' });
  });

  it('lets only one of two racing callbacks in', async () => {
    const { store } = test;
    await waiting();
    const results = await Promise.all(
      ['x', 'y', 'z'].map((id) => store.offer(callbackOffer(1, id, `body ${id}`), start)),
    );
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['accepted', 'other_body', 'other_body']);
    expect((await store.readInbox(idOf(1))).inboxSeq).toBe(1);
  });

  it('leaves a past due time alone', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { state: stateOf(), dueAt: start })]);
    await store.offer(cancelOffer(1, 'e1'), start + 500);
    expect((await store.findDue(everything, start + 1e9, 9))[0]?.dueAt).toBe(start);
  });
}
