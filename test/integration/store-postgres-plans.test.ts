/**
 * What operations read. Connections keep the plans that they made while tables were empty; these must still go by index,
 * and read about what they answer, when tables have grown.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { wholeShardSet } from '../../src/core/value/slot.ts';
import type { ExecutionFilter, NewExecution } from '../../src/ports/store.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import {
  callRow,
  cancelOffer,
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../contract/fixtures/executions.ts';
import { lowestIdAt } from '../../src/store/postgres/columns/execution-id.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let store: PostgresStore;
beforeAll(async () => {
  server = await PostgresServer.create({ autovacuum: 'off' });
});
afterAll(() => server.remove());

const total = 4000;
const stepsOfOne = 1500;

const filters: readonly ExecutionFilter[] = [
  {},
  { statuses: ['FAILED'] },
  { statuses: ['IN_PROGRESS', 'SLEEPING'] },
  { name: 'order' },
  { name: 'order', version: '1', statuses: ['IN_PROGRESS'] },
  { labels: { k: 'v' } },
  { standing: true },
  { hook: 'pending' },
  { hook: 'failed' },
  { hook: 'failed', name: 'order', statuses: ['FAILED'] },
  { reason: 'timeout' },
  { failedNodeId: 'a' },
];

/** Everything that happens to an execution on its way, to three of them from the number `n` on. */
async function live(n: number): Promise<void> {
  const three = [n, n + 1, n + 2];
  await store.submit(three.map((each) => newExecution(each, { labels: { k: 'v' }, steps: [stepRow(1)] })));
  await store.takeOver(
    three.map((each) => ({ id: idOf(each), claim: 'c' })),
    start,
  );
  await store.checkpoint(
    three.map((each) => checkpointOf(each, 'c', 1, { steps: [effectStep(2)], calls: [callRow(3)] })),
  );
  await store.offer(cancelOffer(n, 'event'), start);
  await store.readInbox(idOf(n));
  await store.readOutputs(idOf(n), 1, [{ nodeId: 'a' }]);
  await store.findUndo(idOf(n), 1, { scope: '' });
  await store.findStanding(idOf(n), 'a', 1, 2);
  await store.listEffects(idOf(n), 9);
  await store.listEffects(idOf(n), 9, { rounds: [1, 1], undo: ['failed', 'accepted', 'none'], only: { nodeId: 'a' } });
  const summary = summaryOf('FAILED', { reason: 'timeout', failedNodeId: 'a' });
  const over = {
    state: endState('FAILED'),
    summary,
    dueAt: null,
    undo: [{ kind: 'set', ord: 2, undo: 'done' }],
  } as const;
  await store.checkpoint(three.map((each) => checkpointOf(each, 'c', 2, { ...over, consumed: ['event'] })));
  await store.changeTerminal({
    id: idOf(n),
    seq: 3,
    writeId: 'retry',
    state: stateOf({ round: 2 }),
    summary: summaryOf('IN_PROGRESS', { round: 2 }),
    dueAt: start,
    steps: [stepRow(4, { round: 2 })],
    undo: [],
  });
  await store.getExecution(idOf(n));
  await store.listSteps(idOf(n), { limit: 9 });
  await store.listCalls(idOf(n), { limit: 9 });
  await store.findDue(wholeShardSet, start, 9);
}

it.each([
  ['that was never analysed', 'SELECT 1', filters],
  // Lists are planned each time by statistics, which never stay wrong for long.
  ['that are known to be empty', 'VACUUM ANALYZE', []],
])('reads about as much as it answers, with plans made on tables %s', async (_title, prepare, lists) => {
  let database: string;
  ({ store, database } = await openStore(server));
  await store.tendPartitions({ now: start, lookaheadMonths: 0, completedBefore: 0 });
  await server.query(prepare, database);
  // More often than a connection plans anew for each set of values.
  for (let n = 1; n <= 25; n += 3) await live(n);
  for (const filter of lists) await store.listExecutions(filter, { limit: 9 });
  const many = Array.from({ length: total }, (_, i): NewExecution => {
    const isOver = i % 2 === 0;
    const summary = summaryOf(isOver ? 'SUCCEEDED' : 'IN_PROGRESS');
    return newExecution(1000 + i, { summary, labels: { k: 'v' }, claim: 'c', dueAt: start + 1e9 });
  });
  for (let from = 0; from < total; from += 500) await store.submit(many.slice(from, from + 500));
  const long = Array.from({ length: stepsOfOne }, (_, i) => effectStep(i + 10, { nodeId: `node ${i}`, visit: i }));
  await store.checkpoint([checkpointOf(1001, 'c', 0, { steps: long })]);
  // Of an execution with that many effects, only those that are still open.
  const isOpen = { rounds: [1, 1], undo: ['failed', 'reopened', 'none'] } as const;
  // A session reports what it has read so far with the first statement that ends a second after its last report.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await Promise.all([store.ping(), store.countActive({ count: 1, shards: [] })]);
  await server.query('SELECT pg_stat_reset()', database);
  await live(500);
  expect(await store.listEffects(idOf(1001), 9, isOpen)).toEqual([]);
  for (const filter of lists) await store.listExecutions(filter, { limit: 9 });
  // Sessions report what they read when they end.
  await store.close();
  const [read] = await server.query(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ '^(execution|step|call|inbox|label)')::int AS scanned,
       (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::int AS stepped`,
    database,
  );
  expect(read?.['scanned']).toBe(0);
  expect(read?.['stepped']).toBeGreaterThan(50);
  // The history of one with many effects is walked once, for those that nothing undoes.
  expect(read?.['stepped']).toBeLessThan(1000 + stepsOfOne);
});

it('reads by time no more than what is near', async () => {
  let database: string;
  ({ store, database } = await openStore(server));
  const spread = 60_000;
  const many = Array.from({ length: total }, (_, i): NewExecution => {
    const at = start + i * spread;
    const summary = summaryOf('SUCCEEDED', { startedAt: at, completedAt: at + 1000 });
    const id = `${lowestIdAt(at).slice(0, 13)}-7000-8000-${i.toString(16).padStart(12, '0')}`;
    return newExecution(i, { id, summary, createdAt: at });
  });
  for (let from = 0; from < total; from += 500) await store.submit(many.slice(from, from + 500));
  await store.close();
  await server.query(['VACUUM ANALYZE', 'SELECT pg_stat_reset()'], database);
  store = new PostgresStore({ url: server.url(database) });
  const middle = start + (total / 2) * spread;
  const found = async (filter: ExecutionFilter): Promise<number> =>
    (await store.listExecutions(filter, { limit: 99 })).items.length;
  expect(await found({ startedAfter: middle, startedBefore: middle + 5 * spread })).toBe(5);
  expect(await found({ completedAfter: start + total * spread })).toBe(0);
  expect(await found({ startedAfter: middle, startedBefore: middle + 5 * spread, statuses: ['SUCCEEDED'] })).toBe(5);
  await store.close();
  const [read] = await server.query('SELECT sum(idx_tup_read)::int AS stepped FROM pg_stat_user_indexes', database);
  expect(read?.['stepped']).toBeLessThan(1000);
});

it('walks whichever is rarer, of a label and a status', async () => {
  let database: string;
  ({ store, database } = await openStore(server));
  const many = Array.from({ length: total }, (_, i): NewExecution => {
    const summary = summaryOf(i % 800 === 0 ? 'FAILED' : 'SUCCEEDED');
    return newExecution(i, { summary, labels: { region: i % 800 === 1 ? 'rare' : 'common' } });
  });
  for (let from = 0; from < total; from += 500) await store.submit(many.slice(from, from + 500));
  await server.query('VACUUM ANALYZE', database);
  await store.close();
  await server.query('SELECT pg_stat_reset()', database);
  store = new PostgresStore({ url: server.url(database) });
  const found = async (region: string, status: 'FAILED' | 'SUCCEEDED' | 'CANCELLED'): Promise<number> =>
    (await store.listExecutions({ labels: { region }, statuses: [status] }, { limit: 9 })).items.length;
  expect(await found('common', 'FAILED')).toBe(5);
  expect(await found('common', 'CANCELLED')).toBe(0);
  expect(await found('rare', 'SUCCEEDED')).toBe(5);
  expect(await found('rare', 'FAILED')).toBe(0);
  await store.close();
  const [read] = await server.query('SELECT sum(idx_tup_read)::int AS stepped FROM pg_stat_user_indexes', database);
  expect(read?.['stepped']).toBeLessThan(300);
});
