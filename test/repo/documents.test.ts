import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryFiles, root } from './source-files.ts';

const documents = repositoryFiles('*.md');

/** Targets of a document's inline links and images, code left out. */
function linksIn(text: string): string[] {
  const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)].map((match) => match[1]!);
}

describe('documents', () => {
  it('link only to files that exist', () => {
    const dangling = documents.flatMap((document) =>
      linksIn(document.text)
        .filter((link) => !/^(?:[a-z][a-z+.-]*:|#)/i.test(link))
        .filter((link) => !existsSync(join(root, dirname(document.path), decodeURI(link.replace(/[#?].*$/, '')))))
        .map((link) => `${document.path}: ${link}`),
    );
    expect(dangling).toEqual([]);
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
});
