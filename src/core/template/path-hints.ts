import { closest } from '../definition/problems.ts';

/** A number of suggestions that several places share, since each search takes time. */
export interface Hints {
  left: number;
}

/** Makes the error of a path; with a mistyped word and the known ones, it names the closest of them. */
export type Refuse = (why: string, word?: string, known?: Iterable<string>) => { error: string };

/** The end of an error: a full stop, or a question that names the closest word. */
export function hinted(
  hints: Hints | undefined,
  word: string | undefined,
  known: Iterable<string> | undefined,
): string {
  if (hints === undefined || word === undefined || known === undefined || hints.left < 1) return '.';
  hints.left--;
  const meant = closest(word, [...known]);
  return meant === undefined ? '.' : `; did you mean "${meant}"?`;
}
