/**
 * Cost of the Postgres store alone: accepted executions and checkpoints per second by batch size, with one batch under way
 * as the engine has them, and the processor time per row of this process and of the server, which it starts itself; then
 * how many updates were heap-only.
 *
 * Run: `node bench/store-postgres.ts`.
 */
import { PostgresStore } from '../src/store/postgres/postgres-store.ts';
import { start } from '../test/contract/fixtures/executions.ts';
import { PostgresServer } from '../test/servers/postgres.ts';
import { ownCpu, runChains } from './store-load.ts';

const server = await PostgresServer.create({ shared_buffers: '256MB' });
const store = new PostgresStore({ url: server.url() });
await store.open();
await store.tendPartitions({ now: start, lookaheadMonths: 1, completedBefore: 0 });
const cpu = (): Readonly<Record<string, number>> => ({ client: ownCpu(), postgres: server.cpuMicros() });
for (const batch of [1, 50, 200, 50]) await runChains(store, { batch, underWay: 1, cpu });
const [hot] = await server.query(
  `SELECT sum(n_tup_upd) AS updates, round(100.0 * sum(n_tup_hot_upd) / sum(n_tup_upd), 1) AS percent
   FROM pg_stat_user_tables WHERE relname LIKE 'execution%'`,
);
process.stdout.write(`Heap-only: ${String(hot?.['percent'])} % of ${String(hot?.['updates'])} updates of execution.\n`);
await store.close();
await server.remove();
