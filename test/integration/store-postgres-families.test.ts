/** Families on Postgres: what their operations read, and processes that tell each other at the same time. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NewExecution, Tell } from '../../src/ports/store.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { wholeShardSet } from '../../src/core/value/slot.ts';
import { checkpointOf, endState, idOf, newExecution, start, summaryOf } from '../contract/fixtures/executions.ts';
import { endOf, placeOf } from '../contract/store/families.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.create({ autovacuum: 'off' });
});
afterAll(() => server.remove());

const total = 4000;
const born = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') };
const over = { ...born, dueAt: null };

/** Everything that happens to the family of the root `n`: a few children, of which one is told to end. */
async function live(store: PostgresStore, n: number): Promise<void> {
  const children = [n + 1, n + 2, n + 3];
  await store.submit([newExecution(n, { claim: 'p' })]);
  await store.submit(children.map((child) => newExecution(child, { ...placeOf(n), claim: 'c', parentClaim: 'p' })));
  const tells = (child: number): readonly Tell[] => [{ executionId: idOf(n), row: endOf(child) }];
  await store.checkpoint([n + 1, n + 2].map((child) => checkpointOf(child, 'c', 0, { ...over, tells: tells(child) })));
  await store.countChildren(idOf(n));
  await store.countChildren(idOf(n), ['or*']);
  await store.listExecutions({ parent: idOf(n) }, { limit: 9, order: 'asc' });
  await store.terminateChildren(idOf(n), 'end', start);
  const end = { state: endState('TERMINATED'), summary: summaryOf('TERMINATED'), dueAt: null };
  await store.checkpoint([checkpointOf(n, 'p', 0, { ...end, terminatesChildren: 'end' })]);
}

it.each([
  ['that was never analysed', 'SELECT 1'],
  ['that are known to be empty', 'VACUUM ANALYZE'],
])('reads about as much as it answers, with plans made on tables %s', async (_title, prepare) => {
  const { store, database } = await openStore(server);
  await store.tendPartitions({ now: start, lookaheadMonths: 0, completedBefore: 0 });
  await server.query(prepare, database);
  for (let n = 10; n < 100; n += 10) await live(store, n);
  await store.countActive(wholeShardSet);
  // A wide family of which most are over, and others beside it.
  const rows = Array.from({ length: total }, (_, i): NewExecution => {
    const place = i % 4 === 0 ? {} : placeOf(1000);
    return newExecution(2000 + i, { ...place, ...(i % 100 === 1 ? {} : born) });
  });
  await store.submit([newExecution(1000)]);
  for (let from = 0; from < total; from += 500) await store.submit(rows.slice(from, from + 500));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await Promise.all([store.ping(), store.countActive({ count: 1, shards: [] })]);
  await server.query('SELECT pg_stat_reset()', database);
  await live(store, 500);
  await store.terminateChildren(idOf(1000), 'end', start);
  await store.close();
  const [read] = await server.query(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ '^(execution|step|call|inbox|label)')::int AS scanned,
       (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::int AS stepped`,
    database,
  );
  expect(read?.['scanned']).toBe(0);
  expect(read?.['stepped']).toBeGreaterThan(40);
  expect(read?.['stepped']).toBeLessThan(500);
});

it('removes what is old beside a wide family without reading it', async () => {
  const { store, database } = await openStore(server);
  await store.submit([newExecution(1), ...[2, 3].map((n) => newExecution(n, born))]);
  const members = Array.from({ length: total }, (_, i) => newExecution(100 + i, { ...placeOf(1), ...born }));
  for (let from = 0; from < total; from += 500) await store.submit(members.slice(from, from + 500));
  await server.query(['VACUUM ANALYZE', 'SELECT pg_stat_reset()'], database);
  expect(await store.deleteCompleted(start + 86_400_000, 100)).toBe(2);
  await store.close();
  const [read] = await server.query(
    `SELECT idx_scan::int AS probes FROM pg_stat_user_indexes WHERE indexrelname LIKE 'execution_default%root%'`,
    database,
  );
  // The walk steps over the members, each with one look at its root; only old roots look for members.
  expect(read?.['probes']).toBeLessThan(20);
});

it('lets processes tell each other, and start and terminate children, at the same time', async () => {
  const { store, database } = await openStore(server);
  const stores = [store, new PostgresStore({ url: server.url(database), maxConnections: 4 })];
  await stores[1]?.open();
  const numbers = Array.from({ length: 12 }, (_, i) => i + 1);
  await store.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
  const rounds = 40;
  for (let seq = 0; seq < rounds; seq++) {
    const other = (n: number, by: number): number => ((n - 1 + by) % numbers.length) + 1;
    const told = (n: number): readonly Tell[] =>
      [1, 4, 7].map((by) => ({
        executionId: idOf(other(n, by)),
        row: endOf(n, `${String(seq)}-${String(n)}-${String(by)}`),
      }));
    // Each process writes every second one, in batches of different order, and starts children.
    const writes = stores.map(async (each, i) => {
      const own = numbers.filter((n) => n % 2 === i);
      const order = seq % 2 === 0 ? own : own.toReversed();
      const results = await Promise.all([
        each.checkpoint(order.slice(0, 3).map((n) => checkpointOf(n, 'c', seq, { tells: told(n) }))),
        each.checkpoint(order.slice(3).map((n) => checkpointOf(n, 'c', seq, { tells: told(n) }))),
        each.submit(
          order.map((n) =>
            newExecution(1000 + seq * 20 + n, { ...placeOf(other(n, 1)), parentClaim: 'c', labels: { k: 'v' } }),
          ),
        ),
        each.terminateChildren(idOf(order[0] as number), `end ${String(seq)}`, start),
      ]);
      return results.slice(0, 3).flat() as readonly { readonly kind: string }[];
    });
    const kinds = (await Promise.all(writes)).flat().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'written')).toHaveLength(numbers.length);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(numbers.length);
  }
  for (const n of numbers) expect((await store.readInbox(idOf(n))).inboxSeq).toBe(3 * rounds);
  const [row] = await server.query(
    `SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`,
    database,
  );
  expect(row?.['deadlocks']).toBe(0);
  for (const each of stores) await each.close();
});
