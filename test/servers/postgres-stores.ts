/** Stores on a test's own Postgres server: opened, emptied and closed. */
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { PostgresStoreOptions } from '../../src/store/postgres/connection/options.ts';
import type { PostgresServer } from './postgres.ts';

/** Everything that tests write; the schema's own record stays. */
const emptySql = [
  'execution',
  'label',
  'step',
  'call',
  'inbox',
  'definition',
  'definition_body',
  'setting',
  'start_key',
  'garbage',
  'dropped_range',
  'process',
]
  .map((table) => `DELETE FROM ${table}`)
  // Its rows cannot be deleted one by one.
  .concat('TRUNCATE audit')
  .join('; ');

/** A store on a new database of the server, open; more options as given. */
export async function openStore(
  server: PostgresServer,
  options: Partial<PostgresStoreOptions> = {},
): Promise<{ readonly store: PostgresStore; readonly database: string }> {
  const database = await server.createDatabase();
  const store = new PostgresStore({ url: server.url(database), maxConnections: 4, ...options });
  await store.open();
  return { store, database };
}

/** Removes every row of a store's database; faster than a new database for every test. */
export async function emptyDatabase(server: PostgresServer, database: string): Promise<void> {
  await server.query(emptySql, database);
}
