/** The table "to change X, open Y" of CONTRIBUTING.md and the walks of docs/architecture.md lead to code that exists. */
import { describe, expect, it } from 'vitest';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-files.ts';

const page = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The text of a file below `from`; undefined when there is none. */
function textAt(from: string, path: string): string | undefined {
  const file = join(root, from, path);
  return existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'utf8') : undefined;
}

/** Whether a text has a word as a whole: `apply` is not in `applied`. */
function hasWord(text: string, word: string): boolean {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(String.raw`(?<![\w$])${escaped}(?![\w$])`).test(text);
}

/** Whether a text declares a function, a method or a class of this name. */
function declares(text: string, name: string): boolean {
  return new RegExp(
    String.raw`(?:^|\s)(?:(?:async\s+)?function\*?|class)\s+${name}\b|^\s+(?:static |async |get )*#?${name}(?:<[^>\n]*>)?\(.*\{$|^\s+(?:static |async )*#?${name}(?:<[^>\n]*>)?\($`,
    'm',
  ).test(text);
}

interface Row {
  readonly change: string;
  readonly path: string;
  readonly words: readonly string[];
}

/** Rows of the table whose head is "To change | Open | Search for". */
function rowsIn(text: string): Row[] {
  const [, body = ''] = text.split(/^\| To change \| Open \| Search for \|\n\|[-| ]+\|\n/m);
  const lines = body.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end === -1 ? undefined : end).map((line) => {
    const [, change = '', open = '', words = ''] = line.split('|').map((cell) => cell.trim());
    return {
      change,
      path: /\]\(([^)\s]+)\)/.exec(open)?.[1] ?? '',
      words: [...words.matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
    };
  });
}

/** What is wrong with the rows. */
function faultsOf(rows: readonly Row[], read: (path: string) => string | undefined): string[] {
  return rows.flatMap(({ change, path, words }) => {
    const text = read(path);
    if (text === undefined) return [`${change}: there is no file ${path}`];
    if (words.length === 0) return [`${change}: names no word of ${path}`];
    return words.filter((word) => !hasWord(text, word)).map((word) => `${change}: ${path} has no ${word}`);
  });
}

interface Stop {
  readonly path: string;
  readonly name: string;
}

/** Stops of the walks: list items that begin with a link to a file, followed by names in backticks up to the colon. */
function stopsIn(text: string): Stop[] {
  return [...text.matchAll(/^\d+\. \[[^\]]+\]\(([^)\s]+)\) ((?:`[\w#]+`(?:, )?)+):/gm)].flatMap(([, path, names]) =>
    [...names!.matchAll(/`#?(\w+)`/g)].map((match) => ({ path: path!, name: match[1]! })),
  );
}

describe('the table of CONTRIBUTING.md', () => {
  const rows = rowsIn(page('CONTRIBUTING.md'));

  it('leads to files that have the words', () => {
    expect(rows.length).toBeGreaterThan(35);
    expect(faultsOf(rows, (path) => textAt('.', path))).toEqual([]);
  });

  it('says each thing once', () => {
    expect(new Set(rows.map(({ change }) => change)).size).toBe(rows.length);
  });
});

describe('the walks of docs/architecture.md', () => {
  const text = page('docs/architecture.md');

  it('lead through functions that exist', () => {
    const stops = stopsIn(text);
    expect(stops.length).toBeGreaterThan(25);
    const lost = stops.filter(({ path, name }) => !declares(textAt('docs', path) ?? '', name));
    expect(lost.map(({ path, name }) => `${path}: ${name}`)).toEqual([]);
  });

  it('name a file and a function at each step', () => {
    const walks = text.split('\n## Three walks\n')[1]?.split('\n## ', 1)[0] ?? '';
    const steps = walks.match(/^\d+\. .*$/gm) ?? [];
    expect(steps.length).toBeGreaterThan(15);
    expect(steps.filter((step) => stopsIn(step).length === 0)).toEqual([]);
  });
});

describe('the checks', () => {
  const table = '| To change | Open | Search for |\n|---|---|---|\n';

  it('find rows that have rotted', () => {
    const text = `${table}| a | [x](x.ts) | \`one\` |\n| b | [y](y.ts) | \`one\` |\n| c | [x](x.ts) | \`on\`, \`two\` |\n| d | [x](x.ts) | one |\n\n| e | no | row |`;
    expect(faultsOf(rowsIn(text), (path) => (path === 'x.ts' ? 'export const one = 1;' : undefined))).toEqual([
      'b: there is no file y.ts',
      'c: x.ts has no on',
      'c: x.ts has no two',
      'd: names no word of x.ts',
    ]);
  });

  it('know a declaration from a use', () => {
    const code =
      'export async function one() {\n  two();\n}\nclass Three {\n  async #four(\n    x: number,\n  ) {}\n  get five() {\n';
    expect(['one', 'two', 'Three', 'four', 'five'].filter((name) => declares(code, name))).toEqual([
      'one',
      'Three',
      'four',
      'five',
    ]);
  });

  it('find the stops of a walk', () => {
    expect(stopsIn('1. [a.ts](../a.ts) `one`, `#two`: does.\n2. [b](b.md) says `three`.')).toEqual([
      { path: '../a.ts', name: 'one' },
      { path: '../a.ts', name: 'two' },
    ]);
  });
});
