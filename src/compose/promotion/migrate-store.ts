/** Bringing a store up to date, apart from a server. */
import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { adoptQueue, createStore, pendingMigrationsOf, placeOf } from '../backends.ts';

/**
 * Brings the store up to date; with `check`, changes nothing; with `adopt-queue`, makes this configuration's queue the one of its
 * workers. Answers where the store is. `onPending` is told which migrations are about to run, before the first of them.
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
