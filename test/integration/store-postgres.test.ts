import { afterAll, beforeAll, describe } from 'vitest';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { storeContract } from '../contract/store-contract.ts';
import { showStep, start } from '../contract/fixtures/executions.ts';
import { emptyDatabase, openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.create();
});
afterAll(() => server.remove());

/** With all rows in the default partitions, and with a partition of their month. */
describe.each([
  ['without partitions', 0],
  ['with a partition of the month', 1],
])('%s', (_title, lookaheadMonths) => {
  let database: string;
  let store: PostgresStore;

  async function reopen(): Promise<PostgresStore> {
    await store.close();
    store = new PostgresStore({ url: server.url(database), maxConnections: 4, showStep });
    await store.open();
    return store;
  }

  beforeAll(async () => {
    ({ store, database } = await openStore(server, { showStep }));
    // The fixtures' ids begin in May 2026.
    if (lookaheadMonths > 0) await store.tendPartitions({ now: start, lookaheadMonths, completedBefore: 0 });
  });
  afterAll(() => store.close());

  storeContract('the store on Postgres', async () => {
    await emptyDatabase(server, database);
    return { store, reopen, close: () => Promise.resolve() };
  });
});
