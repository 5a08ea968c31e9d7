import { MemoryStore } from '../../simulator/store/memory-store.ts';
import { showStep } from './fixtures/executions.ts';
import { storeContract } from './store-contract.ts';

storeContract('the store in memory', async () => {
  const store = new MemoryStore(Date.now, showStep);
  await store.open();
  return {
    store,
    reopen: async () => {
      await store.close();
      await store.open();
      return store;
    },
    close: () => store.close(),
  };
});
