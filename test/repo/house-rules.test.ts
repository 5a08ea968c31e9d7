import { describe, expect, it } from 'vitest';
import {
  bannedPhrases,
  checkedRoots,
  crowdedFolders,
  longFiles,
  maxFilesInFolder,
  maxLines,
  maxTestLines,
  phrasesIn,
  quotingFiles,
} from './house-rules.ts';
import { repositoryFiles } from './source-files.ts';

const file = (path: string, ...lines: string[]): { path: string; lines: string[] } => ({ path, lines });
const numbered = (folder: string, count: number, ending = '.ts'): string[] =>
  Array.from({ length: count }, (_, i) => `${folder}/file-${i}${ending}`);

describe('words', () => {
  it('are plain technical English', () => {
    const files = repositoryFiles(...checkedRoots).filter(({ path }) => !quotingFiles.includes(path));
    expect(files.length).toBeGreaterThan(200);
    expect(phrasesIn(files)).toEqual([]);
  });

  it('are looked for in files that exist', () => {
    expect(repositoryFiles(...quotingFiles).map(({ path }) => path)).toHaveLength(quotingFiles.length);
  });

  it.each([
    ['// Whoever takes it over tries again.', 'Whoever'],
    ['/** See the file header. */', 'See the file header'],
    ['/** Whom the gauges ask. */', 'Whom'],
    ['it stands on its page', 'stands on'],
    ['Of a join that belongs to no split, that has been said.', 'that has been said'],
    ['what is none of ours is nothing', 'none of ours'],
    ['files, sockets and things of the like', 'of the like'],
    ["const hold = { name: 'nobody' }; // nobody has it", 'nobody'],
  ])('are found: %s', (line, phrase) => {
    expect(phrasesIn([file('a.ts', 'fine', line)])).toEqual([expect.stringMatching(`^a\\.ts:2: ${phrase} \\(write: `)]);
  });

  it.each([
    "const hold = { name: 'nobody' };",
    'const callers = { nobody: [] };',
    'It understands only JSON.',
    'The standing effects are listed.',
  ])('are not found in data and within words: %s', (line) => {
    expect(phrasesIn([file('a.ts', line)])).toEqual([]);
  });

  it('have a better one each', () => {
    expect(bannedPhrases.filter(({ instead }) => instead.trim() === '')).toEqual([]);
  });
});

describe('files of src', () => {
  const files = repositoryFiles('src');

  it(`have at most ${maxLines} lines`, () => {
    expect(longFiles(files.filter(({ path }) => !path.endsWith('.test.ts')))).toEqual([]);
  });

  it(`have at most ${maxTestLines} lines where they are tests`, () => {
    expect(longFiles(files, maxTestLines)).toEqual([]);
  });

  it('would be refused with one line more', () => {
    const ofLines = (count: number): { path: string; lines: string[] } =>
      file('src/a.ts', ...Array<string>(count).fill('x'), '');
    expect(longFiles([ofLines(maxLines)])).toEqual([]);
    expect(longFiles([ofLines(maxLines + 1)])).toEqual([`src/a.ts: ${maxLines + 1}`]);
  });
});

describe('folders of src', () => {
  it(`hold at most ${maxFilesInFolder} source files unless they are a series`, () => {
    const paths = repositoryFiles('src').map(({ path }) => path);
    expect(crowdedFolders(paths)).toEqual([]);
  });

  it('would be refused with one file more, of any kind but tests', () => {
    const full = numbered('src/engine', maxFilesInFolder);
    expect(
      crowdedFolders([...full, ...numbered('src/engine', 5, '.test.ts'), ...numbered('src/engine/call', 9)]),
    ).toEqual([]);
    expect(crowdedFolders([...full, 'src/engine/claim.lua'])).toEqual([`src/engine: ${maxFilesInFolder + 1}`]);
  });

  it('may hold a whole series', () => {
    const series = ['src/api/routes', 'src/cli/commands', 'src/store/postgres/queries', 'src/store/sqlite/migrations'];
    expect(crowdedFolders(series.flatMap((folder) => numbered(folder, 40)))).toEqual([]);
    expect(crowdedFolders(numbered('src/api/routes/deep', 16))).toEqual(['src/api/routes/deep: 16']);
  });
});
