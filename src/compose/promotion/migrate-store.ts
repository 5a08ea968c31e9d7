import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { adoptQueue, createStore, pendingMigrationsOf, placeOf } from '../backends.ts';

/**
 * Migrates the store without a server; with `check`, changes nothing; with `adopt-queue`, moves the store to this
 * configuration's queue. Returns the place of the store. `onPending` receives the migrations before the first of them
 * runs.
 *
 * @throws Error with a sentence for people when the store cannot be opened, or with `check` is not up to date.
 */
export async function migrateStore(
  config: Config,
  action: 'migrate' | 'check' | 'adopt-queue',
  onPending: (migrations: readonly string[]) => void,
): Promise<string> {
  const { driver, dataDir } = config.database;
  const check = action === 'check';
  if (check && driver === 'EMBEDDED' && !existsSync(dataDir)) throw new Error(`There is no store in ${dataDir} yet.`);
  const store = await createStore(config, { migrate: !check, onFault: () => undefined });
  try {
    if (!check) onPending(await pendingMigrationsOf(config, store));
    await store.open();
    if (action === 'adopt-queue') await adoptQueue(config, store);
    return placeOf(config);
  } finally {
    await store.close();
  }
}
