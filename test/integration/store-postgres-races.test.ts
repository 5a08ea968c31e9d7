/** Two processes' stores at the same rows at the same time: the outcome is always that of one after the other. */
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { wholeShardSet } from '../../src/core/value/slot.ts';
import { StoreContended } from '../../src/ports/store.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import {
  callRow,
  cancelOffer,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../contract/fixtures/executions.ts';
import { emptyDatabase, openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let database: string;
let a: PostgresStore;
let b: PostgresStore;

beforeAll(async () => {
  server = await PostgresServer.create();
  ({ store: a, database } = await openStore(server));
  await a.tendPartitions({ now: start, lookaheadMonths: 0, completedBefore: 0 });
  b = new PostgresStore({ url: server.url(database), maxConnections: 4 });
  await b.open();
});
afterAll(async () => {
  await Promise.all([a.close(), b.close()]);
  await server.remove();
});
beforeEach(() => emptyDatabase(server, database));

const numbers = Array.from({ length: 60 }, (_, i) => i + 1);
const far = start + 1e9;

async function submitted(): Promise<void> {
  await a.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
}

const kinds = (results: readonly { readonly kind: string }[]): string[] => results.map(({ kind }) => kind);

it.each([1, 2, 3])('never loses an event that meets a parking checkpoint (round %i)', async () => {
  await submitted();
  const parking = numbers.map((n) => checkpointOf(n, 'c', 0, { inboxSeq: 0, dueAt: far, steps: [stepRow(1)] }));
  const [results, offers] = await Promise.all([
    // In several statements, so that some come before and some after the events.
    Promise.all([0, 20, 40].map((from) => a.checkpoint(parking.slice(from, from + 20)))),
    Promise.all(numbers.map((n) => b.offer(cancelOffer(n, `event ${n}`), start))),
  ]);
  expect(new Set(kinds(offers))).toEqual(new Set(['accepted']));
  const due = await a.findDue(wholeShardSet, start, 100);
  expect(due.map(({ slot }) => slot)).toEqual(numbers);
  for (const [i, result] of results.flat().entries()) {
    const { inboxSeq, inbox } = await b.readInbox(idOf(i + 1));
    expect(inboxSeq).toBe(1);
    expect(inbox).toHaveLength(1);
    const steps = (await a.listSteps(idOf(i + 1), { limit: 9 })).items.length;
    if (result.kind === 'inbox') {
      expect(result.inbox).toEqual(inbox);
      expect(steps).toBe(0);
    } else {
      expect(result).toEqual({ kind: 'written', inboxSeq: 0 });
      expect(steps).toBe(1);
    }
  }
});

it('tells a running checkpoint the inbox seq of the moment, or lets the next one see it', async () => {
  await submitted();
  const [results] = await Promise.all([
    a.checkpoint(numbers.map((n) => checkpointOf(n, 'c', 0))),
    Promise.all(numbers.map((n) => b.offer(cancelOffer(n, `event ${n}`), start))),
  ]);
  expect(new Set(kinds(results))).toEqual(new Set(['written']));
  const parked = await a.checkpoint(numbers.map((n) => checkpointOf(n, 'c', 1, { inboxSeq: 0, dueAt: far })));
  expect(new Set(kinds(parked))).toEqual(new Set(['inbox']));
});

it('lets one of two racing owners go on', async () => {
  await submitted();
  const claims = (claim: string) => numbers.map((n) => ({ id: idOf(n), claim }));
  const [left, right] = await Promise.all([
    a.takeOver(claims('left'), start),
    b.takeOver(claims('right').toReversed(), start),
  ]);
  expect([left.length, right.length]).toEqual([60, 60]);
  const leftSeq = new Map(left.map(({ id, seq }) => [id, seq]));
  const rightSeq = new Map(right.map(({ id, seq }) => [id, seq]));
  for (const n of numbers) {
    const seqs = [leftSeq.get(idOf(n)) ?? 0, rightSeq.get(idOf(n)) ?? 0];
    expect(seqs.toSorted((x, y) => x - y)).toEqual([1, 2]);
  }
  const write = (store: PostgresStore, claim: string, seqs: Map<string, number>) =>
    store.checkpoint(numbers.map((n) => checkpointOf(n, claim, seqs.get(idOf(n)) ?? 0, { steps: [stepRow(1)] })));
  const [byLeft, byRight] = await Promise.all([write(a, 'left', leftSeq), write(b, 'right', rightSeq)]);
  for (const n of numbers) {
    const expected = leftSeq.get(idOf(n)) === 2 ? ['written', 'fenced'] : ['fenced', 'written'];
    expect([byLeft[n - 1]?.kind, byRight[n - 1]?.kind]).toEqual(expected);
  }
});

it('gives the worker that takes over either the state before a late checkpoint, which is fenced, or the one after it', async () => {
  await submitted();
  const [results, loaded] = await Promise.all([
    Promise.all(numbers.map((n) => a.checkpoint([checkpointOf(n, 'c', 0, { state: stateOf({ ord: 77 }) })]))),
    b.takeOver(
      numbers.map((n) => ({ id: idOf(n), claim: 'new' })),
      start,
    ),
  ]);
  for (const [i, [result]] of results.entries()) {
    const { seq, state } = loaded[i] ?? {};
    expect([result?.kind, seq, state?.ord]).toEqual(
      result?.kind === 'written' ? ['written', 2, 77] : ['fenced', 1, stateOf().ord],
    );
  }
});

it('writes a batch once that is sent again while it is under way', async () => {
  await submitted();
  const batch = numbers.map((n) => checkpointOf(n, 'c', 0, { inboxSeq: 0, steps: [stepRow(1)], calls: [callRow(2)] }));
  const answers = await Promise.all([a, b, a, b].map((store) => store.checkpoint(batch)));
  expect(new Set(kinds(answers.flat()))).toEqual(new Set(['written']));
  for (const n of numbers) {
    expect((await a.listSteps(idOf(n), { limit: 9 })).items).toHaveLength(1);
    expect((await a.listCalls(idOf(n), { limit: 9 })).items).toHaveLength(1);
    expect((await a.getExecution(idOf(n)))?.seq).toBe(1);
  }
});

/** Locks rows, as another transaction does, until the returned function is called. */
async function lockRows(...ns: readonly number[]): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: server.url(database) });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM execution WHERE id = ANY ($1::uuid[]) FOR UPDATE', [ns.map((n) => idOf(n))]);
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

const isLocked = (n: number): boolean => n % 20 === 0;

it('lets events wait for a row that is locked, and no others', async () => {
  await submitted();
  const unlock = await lockRows(...numbers.filter((n) => isLocked(n)));
  const offers = new Map(numbers.map((n) => [n, b.offer(cancelOffer(n, `event ${n}`), start)]));
  const of = (wanted: (n: number) => boolean) => Promise.all(numbers.filter(wanted).map((n) => offers.get(n)!));
  const unknown = b.offer(cancelOffer(99, 'of nothing'), start);
  const answered = new Set<number>();
  for (const n of numbers.filter(isLocked)) void offers.get(n)!.then(() => answered.add(n));
  expect(new Set(kinds(await of((n) => !isLocked(n))))).toEqual(new Set(['accepted']));
  expect(await unknown).toEqual({ kind: 'unknown' });
  // Also what comes later, and alone.
  expect(await b.offer(cancelOffer(1, 'another'), start)).toMatchObject({ kind: 'accepted' });
  expect([...answered]).toEqual([]);
  await unlock();
  expect(new Set(kinds(await of(isLocked)))).toEqual(new Set(['accepted']));
  for (const n of numbers.slice(1)) expect((await a.readInbox(idOf(n))).inboxSeq).toBe(1);
});

it('gives up an event whose row stays locked, and that event alone', async () => {
  await submitted();
  const unlock = await lockRows(20);
  const stuck = b.offer(cancelOffer(20, 'event'), start).catch((error: unknown) => error);
  // Others go on all the time meanwhile.
  const until = { isOver: false };
  const ended = stuck.finally(() => (until.isOver = true));
  const kindsMeanwhile = new Set<string>();
  for (let i = 1; !until.isOver; i++) {
    kindsMeanwhile.add((await b.offer(cancelOffer((i % 19) + 1, `event ${Math.floor(i / 19)}`), start)).kind);
  }
  expect(await ended).toBeInstanceOf(StoreContended);
  expect(kindsMeanwhile.has('accepted')).toBe(true);
  expect((await a.readInbox(idOf(20))).inboxSeq).toBe(0);
  await unlock();
  expect(await b.offer(cancelOffer(20, 'event'), start)).toMatchObject({ kind: 'accepted' });
});

it('writes batches over the same executions in any order without a deadlock', async () => {
  await submitted();
  const batch = numbers.map((n) => checkpointOf(n, 'c', 0, { steps: [stepRow(1)] }));
  const answers = await Promise.all([
    a.checkpoint(batch),
    b.checkpoint(batch.toReversed()),
    b.takeOver(
      numbers.toReversed().map((n) => ({ id: idOf(n), claim: 'c' })),
      start,
    ),
    ...numbers.map((n) => a.offer(cancelOffer(n, 'e'), start)),
  ]);
  expect(answers).toHaveLength(63);
});

it('inserts a batch once that is sent twice at the same time', async () => {
  const batch = numbers.map((n) =>
    newExecution(n, {
      labels: { n: String(n) },
      steps: [stepRow(1)],
      ...(n % 2 === 0 ? { startKey: { caller: 'me', key: String(n), fingerprint: 'f' } } : undefined),
    }),
  );
  const answers = await Promise.all([a, b, b].map((store) => store.submit(batch)));
  expect(new Set(kinds(answers.flat()))).toEqual(new Set(['created']));
  for (const n of numbers) expect((await a.listSteps(idOf(n), { limit: 9 })).items).toHaveLength(1);
});

it('settles start keys that race in batches of different order', async () => {
  const batch = (first: number, order: readonly number[]) =>
    order.map((n) =>
      newExecution(first + n, { startKey: { caller: 'me', key: `key ${n}`, fingerprint: 'f' }, definitionHash: 'h' }),
    );
  const [left, right] = await Promise.all([
    a.submit(batch(1000, numbers)),
    b.submit(batch(2000, numbers.toReversed())),
  ]);
  for (const n of numbers) {
    const [x, y] = [left[n - 1], right[numbers.length - n]];
    const isLeft = x?.kind === 'created';
    expect([x, y]).toEqual(
      isLeft
        ? [{ kind: 'created' }, { kind: 'existing', id: idOf(1000 + n) }]
        : [{ kind: 'existing', id: idOf(2000 + n) }, { kind: 'created' }],
    );
    expect(await a.getExecution(idOf((isLeft ? 2000 : 1000) + n))).toBeUndefined();
  }
});

it('keeps the definition that an execution is pinned to while another one of it is removed', async () => {
  for (const n of numbers.slice(0, 20)) {
    const pinned = { definitionHash: `hash ${n}`, definition: `{"n":${n}}` };
    const over = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') };
    await a.submit([newExecution(n, { ...pinned, ...over })]);
    const [, results] = await Promise.all([
      b.deleteCompleted(start + 5000, 9),
      a.submit([newExecution(100 + n, pinned)]),
    ]);
    expect(results).toEqual([{ kind: 'created' }]);
    expect(await b.getDefinitionBody(`hash ${n}`)).toBe(pinned.definition);
    expect((await a.getExecution(idOf(100 + n)))?.definitionHash).toBe(`hash ${n}`);
  }
});

it('never removes an execution that a retry has just begun again', async () => {
  const over = { state: endState('FAILED'), summary: summaryOf('FAILED', { maybeStanding: false }) };
  await a.submit(numbers.map((n) => newExecution(n, over)));
  const retry = (n: number): Promise<unknown> =>
    a.changeTerminal({
      id: idOf(n),
      seq: 0,
      writeId: `retry ${n}`,
      state: stateOf({ round: 2 }),
      summary: summaryOf('IN_PROGRESS', { round: 2 }),
      dueAt: start,
      steps: [stepRow(1)],
      undo: [],
    });
  const [changed, removed] = await Promise.all([
    Promise.all(numbers.map((n) => retry(n))),
    b.deleteCompleted(start + 5000, 100),
  ]);
  expect(changed.filter((x) => !x)).toHaveLength(removed);
  for (const [i, isChanged] of changed.entries()) {
    expect((await a.getExecution(idOf(i + 1)))?.status).toBe(isChanged ? 'IN_PROGRESS' : undefined);
  }
});
