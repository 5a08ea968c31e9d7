/** Keeps servers off stores that a promotion reads or fills, and off those that it has emptied of meaning. */
import type { Config } from '../../config/config.ts';
import { targetMarkSetting, type TargetMark } from '../../ports/promotion.ts';
import type { Store } from '../../ports/store.ts';
import { readSourceMark, sourceMarkSentence } from '../../app/promotion/source-mark.ts';

/**
 * Looks at the marks of an open store before anything is done with it.
 *
 * @throws Error with a sentence for people when no server may work on it.
 */
export async function refusePromoted({ database }: Config, store: Pick<Store, 'getSetting'>): Promise<void> {
  if (database.driver === 'EMBEDDED') {
    const mark = await readSourceMark(store);
    if (mark !== undefined) throw new Error(sourceMarkSentence(database.dataDir, mark));
    return;
  }
  const text = await store.getSetting(targetMarkSetting);
  if (text === undefined || (JSON.parse(text) as TargetMark).phase !== 'copying') return;
  throw new Error(
    'A data directory is being promoted into this database, and not everything is here yet. Run "trama promote" there to its ' +
      'end, or take it back, before a server starts here.',
  );
}
