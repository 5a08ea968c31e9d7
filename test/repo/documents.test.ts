import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryFiles, root } from './source-files.ts';

const documents = repositoryFiles('*.md');

/** Targets of a document's inline links and images, code left out. */
function linksIn(text: string): string[] {
  const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)].map((match) => match[1]!);
}

/** The file that a relative link names, from the root. */
function targetOf(path: string, link: string): string {
  return join(dirname(path), decodeURI(link.replace(/[#?].*$/, '')));
}

/** What headings can be linked as: their text in lower case without punctuation, blanks as dashes, repetitions numbered. */
function anchorsIn(text: string): Set<string> {
  const anchors = new Set<string>();
  const prose = text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '');
  for (const match of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const words = match[1]!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${String(n)}`;
    anchors.add(anchor);
  }
  return anchors;
}

describe('documents', () => {
  it('link only to files that exist', () => {
    const dangling = documents.flatMap((document) =>
      linksIn(document.text)
        .filter((link) => !/^(?:[a-z][a-z+.-]*:|#)/i.test(link))
        .filter((link) => !existsSync(join(root, targetOf(document.path, link))))
        .map((link) => `${document.path}: ${link}`),
    );
    expect(dangling).toEqual([]);
  });

  it('link only to headings that exist', () => {
    const anchors = new Map(documents.map(({ path, text }) => [path, anchorsIn(text)]));
    const dangling = documents.flatMap((document) =>
      linksIn(document.text)
        .filter((link) => /^(?![a-z][a-z+.-]*:)[^#]*#/i.test(link))
        .filter((link) => {
          const known = anchors.get(link.startsWith('#') ? document.path : targetOf(document.path, link));
          return known?.has(decodeURIComponent(link.slice(link.indexOf('#') + 1))) === false;
        })
        .map((link) => `${document.path}: ${link}`),
    );
    expect(dangling).toEqual([]);
  });

  it('are all reached from the README', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      const text = documents.find((document) => document.path === path)?.text ?? '';
      for (const link of linksIn(text)) if (!/^(?:[a-z][a-z+.-]*:|#)/i.test(link)) reached.add(targetOf(path, link));
    }
    const pages = documents.map(({ path }) => path).filter((path) => /^(?:docs\/|[^/]*$)/.test(path));
    expect(pages.filter((path) => !reached.has(path))).toEqual([]);
  });

  it('name only examples that exist', () => {
    const named = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w/])examples\/[\w./*-]+/g)].map(
        ([place]) => [path, place.replace(/[.,:]+$/, '')] as const,
      ),
    );
    expect(named.length).toBeGreaterThan(10);
    const missing = named.filter(([, place]) => globSync(place, { cwd: root }).length === 0);
    expect(missing.map(([path, place]) => `${path}: ${place}`)).toEqual([]);
  });

  it('name only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const unknown = documents.flatMap((document) =>
      [...document.text.matchAll(/npm run (?:--silent |-s )?([\w:-]+)/g)]
        .map((match) => match[1]!)
        .filter((script) => !(script in scripts))
        .map((script) => `${document.path}: npm run ${script}`),
    );
    expect(unknown).toEqual([]);
  });

  it('finds links, not code', () => {
    expect(linksIn('[a](b.md) ![c](<d.png>) `[e](f.md)`\n```\n[g](h.md)\n```\n[i](j.md#k "title")')).toEqual([
      'b.md',
      'd.png',
      'j.md#k',
    ]);
  });

  it('makes anchors as they are linked', () => {
    expect([...anchorsIn('# A `b.c` (d)\n## [E](f.md)! #\n```sh\n# no\n```\n## E!\n')]).toEqual(['a-bc-d', 'e', 'e-1']);
  });
});
