/** Texts and numbers that Postgres would refuse or change by itself, and rows that alone cannot be stored. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import {
  callRow,
  callbackOffer,
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
  waitingState,
} from '../contract/fixtures/executions.ts';
import { emptyDatabase, openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let database: string;
let store: PostgresStore;
beforeAll(async () => {
  server = await PostgresServer.create();
  ({ store, database } = await openStore(server));
});
afterAll(async () => {
  await store.close();
  await server.remove();
});
beforeEach(() => emptyDatabase(server, database));

/** U+0000, lone surrogates, backslashes, what looks like an escape, and what would end a literal or an array. */
const odd = 'a\u0000b\ud800c\udc00d\\e\\u0000f\\\\g"h\'i{j,k}l😀NULL';

it('keeps odd texts wherever they may come from outside', async () => {
  const summary = summaryOf('FAILED', {
    failureDescription: odd,
    callbackWarning: odd,
    failedNodeId: odd,
    reason: odd as 'timeout',
  });
  const labels = { [odd]: odd };
  const x = newExecution(1, {
    name: odd,
    version: odd,
    definitionHash: odd,
    definition: `{"text":"\\u0000 \ud800"}`,
    labels,
    payload: `{"text":"\\u0000 \ud800 \\\\"}`,
    traceparent: odd,
    claim: odd,
    startKey: { caller: odd, key: odd, fingerprint: odd },
  });
  expect(await store.submit([x])).toEqual([{ kind: 'created' }]);
  expect(await store.submit([{ ...x, id: idOf(2) }])).toEqual([{ kind: 'existing', id: idOf(1) }]);
  expect(await store.takeOver([{ id: idOf(1), claim: odd }], start)).toMatchObject([
    { seq: 0, name: odd, version: odd, definitionHash: odd, labels, traceparent: odd },
  ]);
  const steps = [
    effectStep(1, { nodeId: odd, scope: `/${odd}`, note: odd }),
    stepRow(2, { nodeId: odd, effect: 'unknown' }),
  ];
  const ended = { state: endState('FAILED'), summary, steps, calls: [callRow(3, { error: odd })], dueAt: null };
  expect(await store.checkpoint([checkpointOf(1, odd, 0, ended)])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
  const read = await store.getExecution(idOf(1));
  expect(read).toMatchObject({ ...summary, name: odd, version: odd, definitionHash: odd, labels, traceparent: odd });
  // A raw lone surrogate in JSON text became its escape, which means the same.
  expect(JSON.parse(read?.payload ?? '')).toEqual({ text: '\u0000 \ud800 \\' });
  expect(JSON.parse((await store.getDefinitionBody(odd)) ?? '')).toEqual({ text: '\u0000 \ud800' });
  expect((await store.listSteps(idOf(1), { limit: 9 })).items).toEqual(steps);
  expect((await store.listCalls(idOf(1), { limit: 9 })).items).toEqual([callRow(3, { error: odd })]);
  expect((await store.findUndo(idOf(1), 1, { scope: `/${odd}`, only: { nodeId: odd, visit: 1 } }))?.ord).toBe(1);
  expect((await store.readOutputs(idOf(1), 1, [{ nodeId: odd }])).map(({ ord }) => ord)).toEqual([1, 2]);
  for (const filter of [
    { name: odd },
    { name: odd, version: odd },
    { labels },
    { reason: odd },
    { failedNodeId: odd },
    { standing: true },
  ]) {
    expect((await store.listExecutions(filter, { limit: 9 })).items.map(({ slot }) => slot)).toEqual([1]);
    const other = Object.fromEntries(Object.keys(filter).map((key) => [key, key === 'labels' ? { [odd]: 'x' } : 'x']));
    if (!('standing' in filter)) expect((await store.listExecutions(other, { limit: 9 })).items).toEqual([]);
  }
  const begun = { state: stateOf({ round: 2 }), summary: summaryOf('IN_PROGRESS', { round: 2 }), dueAt: start };
  expect(await store.changeTerminal({ id: idOf(1), seq: 1, writeId: odd, ...begun, steps: [], undo: [] })).toBe(true);
  expect((await store.findStanding(idOf(1), odd, 1, 2))?.target.ord).toBe(2);
});

it('keeps odd texts of events, definitions and settings', async () => {
  const summary = summaryOf('WAITING_CALLBACK');
  await store.submit([newExecution(1, { claim: 'c', state: waitingState(odd, odd), summary })]);
  const offer = callbackOffer(1, odd, odd, { nodeId: odd, nonce: odd, body: { [odd]: odd } });
  expect(await store.offer(offer, start)).toEqual({ kind: 'accepted' });
  expect(await store.offer(callbackOffer(1, 'other', odd, { nodeId: odd, nonce: odd }), start)).toEqual({
    kind: 'duplicate',
    pending: false,
  });
  expect((await store.readInbox(idOf(1))).inbox).toEqual([offer.row]);
  const parking = checkpointOf(1, 'c', 0, { inboxSeq: 0 });
  expect(await store.checkpoint([parking])).toEqual([{ kind: 'inbox', inboxSeq: 1, inbox: [offer.row] }]);
  await store.checkpoint([{ ...parking, inboxSeq: 1, consumed: [odd] }]);
  expect((await store.readInbox(idOf(1))).inbox).toEqual([]);
  const record = {
    id: odd,
    name: odd,
    version: odd,
    hash: odd,
    definition: '{"n":1.10}',
    createdAt: start,
    updatedAt: start,
  };
  expect(await store.putDefinition(record)).toEqual({ kind: 'stored', record });
  expect(await store.getDefinition({ name: odd, version: 'latest' })).toEqual(record);
  const first = await store.listDefinitions({ limit: 1 });
  expect(first).toEqual({ items: [record] });
  expect(await store.initSetting(odd, odd)).toBe(odd);
  expect(await store.changeSetting(odd, odd, 'x')).toBe(true);
});

const tooLongForAnIndex = 'x'.repeat(1_000_000).replaceAll('x', () => Math.random().toString(36).slice(2, 4));

it('lets only those rows fail that the server refuses, wherever in the batch they are', async () => {
  const numbers = Array.from({ length: 30 }, (_, i) => i + 1);
  const bad = new Set([1, 14, 15, 30]);
  const expected = numbers.map((n) => (bad.has(n) ? 'invalid' : 'created'));
  const submitted = await store.submit(
    numbers.map((n) => newExecution(n, { claim: 'c', labels: { key: bad.has(n) ? tooLongForAnIndex : 'v' } })),
  );
  expect(submitted.map(({ kind }) => kind)).toEqual(expected);
  await store.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
  await store.checkpoint([checkpointOf(7, 'c', 0, { steps: [stepRow(5)] })]);
  // The place in the history is taken, the node's name does not fit, the number is none.
  const faulty = new Map([
    [7, { steps: [stepRow(5)] }],
    [19, { steps: [stepRow(5, { nodeId: tooLongForAnIndex })] }],
    [23, { calls: [callRow(1), callRow(1)] }],
    [25, { steps: [stepRow(2 ** 40)] }],
    [26, { dueAt: 1.5 }],
  ]);
  const results = await store.checkpoint(
    numbers.map((n) => checkpointOf(n, 'c', n === 7 ? 1 : 0, { steps: [stepRow(1)], ...faulty.get(n) })),
  );
  expect(results.map(({ kind }) => kind)).toEqual(numbers.map((n) => (faulty.has(n) ? 'invalid' : 'written')));
  for (const n of numbers) {
    const seq = (faulty.has(n) ? 0 : 1) + (n === 7 ? 1 : 0);
    expect((await store.getExecution(idOf(n)))?.seq).toBe(seq);
  }
});

it('refuses ids and cursors that are no UUIDs without asking the server', async () => {
  const [result] = await store.submit([newExecution(1, { id: 'nonsense' })]);
  expect(result?.kind).toBe('invalid');
  expect(await store.checkpoint([{ ...checkpointOf(1, 'c', 0), id: `${idOf(1)}'` }])).toMatchObject([
    { kind: 'invalid' },
  ]);
  expect(await store.takeOver([{ id: 'nonsense', claim: 'c' }], start)).toEqual([]);
  const cursor = Buffer.from('["execution","nonsense"]').toString('base64url');
  await expect(store.listExecutions({}, { limit: 1, cursor })).rejects.toThrow('malformed');
});
