/** Access to the repository's own files for the tests that watch over it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Absolute path of the checkout. */
export const root = join(import.meta.dirname, '../..');

/** A text file of the repository; `path` is relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/**
 * Every file that git knows or would add, so that a new file is watched before its first commit. `pathspec` is git's;
 * without it, all files.
 *
 * @throws Error when nothing matches: a check over no files proves nothing.
 */
export function repositoryFiles(...pathspec: string[]): SourceFile[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...pathspec];
  const paths = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).split('\0');
  const files = [...new Set(paths)]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return { path, text, lines: text.split('\n') };
    });
  if (files.length === 0) throw new Error(`no files match ${pathspec.join(' ')}`);
  return files;
}

/** The TypeScript that is shipped: src/ without its unit tests. */
export function shippedSources(): SourceFile[] {
  return repositoryFiles('src/*.ts').filter((file) => !file.path.endsWith('.test.ts'));
}

/** What a file imports or re-exports, statically, dynamically, or as the URL of a worker. */
export function importsOf(file: Pick<SourceFile, 'text'>): string[] {
  const code = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*['"](\.[^'"]+\.ts)['"]\s*,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
}
