import type { Config } from '../../config/config.ts';
import { targetMarkSetting, type TargetMark } from '../../ports/promotion.ts';
import type { Store } from '../../ports/store.ts';
import { readSourceMark, sourceMarkSentence } from '../../app/promotion/source-mark.ts';

/**
 * Refuses to run a server on a store that a promotion reads, fills or has moved elsewhere. Reads the marks of the open
 * store; call it before any other use.
 *
 * @throws Error with a sentence for people.
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
