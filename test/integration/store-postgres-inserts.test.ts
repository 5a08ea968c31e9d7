/** Index entries that a run adds, as Postgres logs them: each costs processor time, log and vacuum. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { checkpointOf, endState, newExecution, start, stepRow, summaryOf } from '../contract/fixtures/executions.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let store: PostgresStore;
let database: string;
beforeAll(async () => {
  server = await PostgresServer.create({ autovacuum: 'off' });
  ({ store, database } = await openStore(server));
  await store.tendPartitions({ now: start, lookaheadMonths: 0, completedBefore: 0 });
  await server.query('CREATE EXTENSION pg_walinspect', database);
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const runs = 50;

/** Entries of a chain of three tasks without compensations; see the table in docs/stores.md. */
const budget = {
  /** Its insert and its end, each in `execution_pkey` and `execution_listed`; its insert in `execution_due`. */
  execution: 5,
  /** One row each, in `step_pkey`. */
  steps: 3,
  /** One row each with an output, in `step_answer`. */
  outputs: 3,
};

async function chains(from: number): Promise<void> {
  const numbers = Array.from({ length: runs }, (_, i) => from + i);
  const step = (ord: number, nodeId: string): ReturnType<typeof stepRow> =>
    stepRow(ord, { nodeId, effect: 'succeeded' });
  await store.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
  await store.checkpoint(numbers.map((n) => checkpointOf(n, 'c', 0, { steps: [step(2, 'a')] })));
  await store.checkpoint(numbers.map((n) => checkpointOf(n, 'c', 1, { steps: [step(4, 'b')] })));
  const over = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED'), dueAt: null };
  await store.checkpoint(numbers.map((n) => checkpointOf(n, 'c', 2, { ...over, steps: [step(6, 'c')] })));
}

it('adds no more index entries than documented for a chain of three tasks', async () => {
  await chains(1);
  const [before] = await server.query('SELECT pg_current_wal_insert_lsn()::text AS lsn', database);
  await chains(1000);
  const entries = await server.query(
    `SELECT count(*)::float / ${String(runs)} AS each FROM pg_get_wal_records_info('${String(before?.['lsn'])}', pg_current_wal_lsn())
     WHERE resource_manager = 'Btree' AND (record_type LIKE 'INSERT%' OR record_type LIKE 'SPLIT%')`,
    database,
  );
  // A split now and then adds an entry to an inner page.
  expect(entries[0]?.['each']).toBeLessThanOrEqual(budget.execution + budget.steps + budget.outputs + 0.3);
});
