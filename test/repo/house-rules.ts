/** Rules of the house that tests enforce: words that the project does not use, and how large files and folders may get. */
import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** A phrase that is not plain technical English, and what to write instead. */
export interface BannedPhrase {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** As whole words, in any case. */
export const bannedPhrases: readonly BannedPhrase[] = [
  { pattern: /\bwhoever\b/i, instead: 'name the actor: the worker that, the caller that, the engineer who' },
  { pattern: /\bwhomever\b/i, instead: 'name the actor' },
  { pattern: /\bwhom\b/i, instead: 'name the actor: the process that, the caller whose' },
  { pattern: /\bsomebody\b/i, instead: 'an operator, another process, a client' },
  { pattern: /\bnobody\b/i, instead: 'no process, no caller, no operator' },
  { pattern: /\bsee the file header\b/i, instead: 'put the text of the header on the class or function' },
  { pattern: /\b(?:stands|stand|stood) on\b/i, instead: 'is at, waits at, is in' },
  { pattern: /\bthat has been said\b/i, instead: 'already reported' },
  { pattern: /\bnone of ours\b/i, instead: 'foreign' },
  { pattern: /\bof the like\b/i, instead: 'similar; name the things' },
];

/** Folders and files that hold to {@link bannedPhrases}: pathspecs of git. */
export const checkedRoots: readonly string[] = [
  'src',
  'simulator',
  'docs',
  'test',
  'bench',
  'scripts',
  'examples',
  'README.md',
  'CONTRIBUTING.md',
];

/** Files of these roots that quote the phrases. */
export const quotingFiles: readonly string[] = ['test/repo/house-rules.ts', 'test/repo/house-rules.test.ts'];

/** A name in quotes or of a property (`'nobody'`, `nobody:`) is data. */
const names = /(['"`])(?:nobody|somebody)\1|\b(?:nobody|somebody):/g;

/** Every use of a banned phrase, as `path:line: phrase (write: …)`. */
export function phrasesIn(files: readonly Pick<SourceFile, 'path' | 'lines'>[]): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => {
      const prose = line.replace(names, '');
      return bannedPhrases.flatMap(({ pattern, instead }) => {
        const found = pattern.exec(prose);
        return found === null ? [] : [`${path}:${index + 1}: ${found[0]} (write: ${instead})`];
      });
    }),
  );
}

/** The most lines of a file in `src`. */
export const maxLines = 400;

/** The most lines of a unit test in `src`: a table of cases is read from end to end, and seldom changed. */
export const maxTestLines = 500;

/** The most source files of a folder in `src`, tests beside them not counted. */
export const maxFilesInFolder = 15;

/** Folders that hold one file per member of a series, and may hold as many as the series has. */
export const seriesFolders: readonly RegExp[] = [
  /^src\/api\/routes$/,
  /^src\/cli\/commands$/,
  /^src\/store\/[^/]+\/queries$/,
  /^src\/store\/[^/]+\/migrations$/,
  /^src\/config\/keys$/,
  /^src\/core\/node$/,
  /^src\/queue\/redis\/scripts$/,
];

/** Folders with more files than {@link maxFilesInFolder} that are no series, as `folder: number`. */
export function crowdedFolders(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    if (path.endsWith('.test.ts')) continue;
    const folder = posix.dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([folder, count]) => count > maxFilesInFolder && !seriesFolders.some((series) => series.test(folder)))
    .map(([folder, count]) => `${folder}: ${count}`);
}

/** Files that are longer than `limit`, as `path: lines`. */
export function longFiles(files: readonly Pick<SourceFile, 'path' | 'lines'>[], limit: number = maxLines): string[] {
  return files.filter(({ lines }) => lines.length - 1 > limit).map(({ path, lines }) => `${path}: ${lines.length - 1}`);
}
