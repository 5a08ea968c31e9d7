import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { showStep } from './fixtures/executions.ts';
import { storeContract } from './store-contract.ts';

storeContract('the store on SQLite', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'trama-store-'));
  let store = new SqliteStore({ dataDir, showStep });
  await store.open();
  return {
    store,
    reopen: async () => {
      await store.close();
      store = new SqliteStore({ dataDir, showStep });
      await store.open();
      return store;
    },
    close: async () => {
      await store.close();
      await rm(dataDir, { recursive: true });
    },
  };
});
