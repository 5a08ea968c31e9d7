/** Colours for people: statuses and outcomes by their meaning, headings in bold. */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const styles: readonly (readonly [Style, readonly string[]])[] = [
  ['green', ['SUCCEEDED', 'succeeded', 'DONE', 'RESOLVED', 'valid']],
  ['red', ['FAILED', 'CORRUPTED', 'TERMINATED', 'rejected', 'refused', 'still stands', 'not as expected']],
  ['yellow', ['warning', 'CANCELLED', 'COMPENSATING', 'BACKOFF', 'BLOCKED', 'unknown', 'unsent', 'Warning']],
  ['cyan', ['IN_PROGRESS', 'WAITING_CALLBACK', 'WAITING_CHILD', 'SLEEPING', 'SCHEDULED', 'CALLING', 'JOINING', 'HOOK']],
];
const styleOf = new Map(styles.flatMap(([style, words]) => words.map((word) => [word, style] as const)));
const words = new RegExp(`(?<![\\w.@/-])(?:${[...styleOf.keys()].join('|')})(?![\\w@/-])`, 'g');
const heading = /^[a-z][a-z ]*:$/;

/** A line with colours. Expects a text without control characters, and does not check for them. */
export function paint(line: string): string {
  const style = (as: Style, text: string): string => styleText(as, text, { validateStream: false });
  if (heading.test(line)) return style('bold', line);
  return line.replaceAll(words, (word) => style(styleOf.get(word) ?? 'reset', word));
}

/**
 * Whether a stream of this process shows colours: a terminal with colours, unless NO_COLOR or FORCE_COLOR decides
 * otherwise.
 */
export function hasColours(stream: WriteStream): boolean {
  return styleText('red', 'x', { stream }) !== 'x';
}
