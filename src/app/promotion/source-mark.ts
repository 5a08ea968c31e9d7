import { sourceMarkSetting } from '../../ports/promotion.ts';
import type { Store } from '../../ports/store.ts';

/**
 * The promotion mark of a data directory: a setting of its own store.
 *
 * Phases: none → `copying` (no other process may work on it) → `activating` (the target may have taken over at any moment) →
 * `promoted` (for ever). From `copying`, and from `activating` once the target has said that it did not take over, back to
 * `taken-back`, which is none again. Only the holder of the directory's lock writes it.
 */
export interface SourceMark {
  readonly phase: 'copying' | 'activating' | 'promoted' | 'taken-back';
  /** The promotion's id, which the target stores, too. */
  readonly id: string;
  /** The target, without its password. */
  readonly target: string;
  /** When this phase began, in ms since 1970. */
  readonly at: number;
}

/** The mark, unless there is none. */
export async function readSourceMark(store: Pick<Store, 'getSetting'>): Promise<SourceMark | undefined> {
  const text = await store.getSetting(sourceMarkSetting);
  const mark = text === undefined ? undefined : (JSON.parse(text) as SourceMark);
  return mark?.phase === 'taken-back' ? undefined : mark;
}

/** Sets the mark; durable when it resolves. */
export async function writeSourceMark(
  store: Pick<Store, 'initSetting' | 'changeSetting'>,
  mark: SourceMark,
): Promise<SourceMark> {
  const text = JSON.stringify(mark);
  const found = await store.initSetting(sourceMarkSetting, text);
  if (found !== text) await store.changeSetting(sourceMarkSetting, found, text);
  return mark;
}

/** Why no process may work on a directory with this mark. */
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
