import { describe, expect, it } from 'vitest';
import { repositoryFiles, shippedSources, type SourceFile } from './source-files.ts';

/** `path:line` of every line that matches. */
function linesMatching(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    file.lines.flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

/** Exports whose line is not preceded by the end of a doc comment. */
function undocumentedExports(file: SourceFile): string[] {
  const documented = new Set<string>();
  const missing: string[] = [];
  for (const [index, line] of file.lines.entries()) {
    const match = /^export (?:async |abstract )?(?:function\*?|class|const|interface|type) ([\w$]+)/.exec(line);
    if (match === null) continue;
    const name = match[1]!;
    // Overloads share the comment of the first one.
    if (documented.has(name)) continue;
    if (file.lines[index - 1]?.trimEnd().endsWith('*/') === true) documented.add(name);
    else missing.push(`${file.path}:${index + 1}: ${name}`);
  }
  return missing;
}

describe('source files', () => {
  it('leave nothing for later', () => {
    // XXX is a field of patterns of dates.
    const files = repositoryFiles('src').filter(({ path }) => !path.startsWith('src/core/expression/'));
    expect(linesMatching(files, /\b(?:TODO|FIXME|XXX|HACK)\b|not implemented/i)).toEqual([]);
    expect(linesMatching(repositoryFiles('src'), /\b(?:TODO|FIXME|HACK)\b|not implemented/i)).toEqual([]);
  });

  it('document every export', () => {
    expect(shippedSources().flatMap(undocumentedExports)).toEqual([]);
  });

  it('have kebab-case names', () => {
    const odd = repositoryFiles('src').filter((file) => !/^(?:[a-z0-9]+(?:[-./][a-z0-9]+)*)$/.test(file.path));
    expect(odd.map((file) => file.path)).toEqual([]);
  });
});

describe('repository', () => {
  it('speaks of no machine that it was built on', () => {
    // Put together here, so that this file does not hold them either.
    const directories = ['work', 'root', 'farm'].join('|');
    const pattern = new RegExp(String.raw`(?<![\w.+/-])/(?:${directories})/`);
    expect(linesMatching(repositoryFiles(), pattern)).toEqual([]);
  });

  it('executes every test that it has', () => {
    const tests = repositoryFiles('*.test.ts', 'test/*.ts');
    expect(linesMatching(tests, /\b(?:describe|it|test|suite)(?:\.\w+)*\.(?:only|skip|todo|skipIf|runIf)\b/)).toEqual(
      [],
    );
    expect(linesMatching(tests, /^\s*(?:xit|xtest|xdescribe|fit|fdescribe)\(/)).toEqual([]);
  });
});

describe('the check of doc comments', () => {
  const check = (text: string): string[] =>
    undocumentedExports({ path: 'a.ts', text, lines: text.split('\n') }).map((entry) => entry.split(': ')[1]!);

  it('finds exports without one and accepts overloads', () => {
    expect(check('export const a = 1;\n/** B. */\nexport interface B {}\n\nexport async function c() {}')).toEqual([
      'a',
      'c',
    ]);
    expect(check('/** A. */\nexport function a(x: 1): 1;\nexport function a(x: 2): 2;')).toEqual([]);
  });
});
