import { sourceMarkSetting } from '../../ports/promotion.ts';
import type { Store } from '../../ports/store.ts';

/**
 * The promotion mark of a data directory: a setting of its own store. Only the holder of the directory's lock writes
 * it.
 *
 * Phases: none → `copying` (no other process may work on the directory) → `activating` (the target may take over at any
 * moment) → `promoted` (final). `copying` can go back to `taken-back`, which counts as none; `activating` can, too,
 * once the target has confirmed that it did not take over.
 */
export interface SourceMark {
  readonly phase: 'copying' | 'activating' | 'promoted' | 'taken-back';
  /** The promotion's id, also stored in the target. */
  readonly id: string;
  /** The target, without its password. */
  readonly target: string;
  /** When this phase began, in ms since 1970. */
  readonly at: number;
}

/** The mark; undefined without a promotion. */
export async function readSourceMark(store: Pick<Store, 'getSetting'>): Promise<SourceMark | undefined> {
  const text = await store.getSetting(sourceMarkSetting);
  const mark = text === undefined ? undefined : (JSON.parse(text) as SourceMark);
  return mark?.phase === 'taken-back' ? undefined : mark;
}

/** Writes the mark; durable once this resolves. */
export async function writeSourceMark(
  store: Pick<Store, 'initSetting' | 'changeSetting'>,
  mark: SourceMark,
): Promise<SourceMark> {
  const text = JSON.stringify(mark);
  const found = await store.initSetting(sourceMarkSetting, text);
  if (found !== text) await store.changeSetting(sourceMarkSetting, found, text);
  return mark;
}

/** The sentence that explains why no process may work on a directory with this mark. */
export function sourceMarkSentence(dataDir: string, { phase, target, at }: SourceMark): string {
  if (phase === 'promoted') {
    return (
      `Everything in the data directory ${dataDir} was promoted to ${target} on ${new Date(at).toISOString()}: serve ` +
      'that database instead (database.url). What is left here is of that moment, and running it would do things twice.'
    );
  }
  return (
    `The data directory ${dataDir} is being promoted to ${target}. Finish it with "trama promote --to <its URL>", or ` +
    'take it back with "trama promote --take-back --to <its URL>".'
  );
}
