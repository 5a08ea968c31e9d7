import { posix } from 'node:path';
import { expect, it } from 'vitest';
import { importsOf, repositoryFiles, shippedSources, type SourceFile } from './source-files.ts';

/** Files of which each imports the next, and the last the first; the first circle that is found, else nothing. */
function circleIn(sources: readonly Pick<SourceFile, 'path' | 'text'>[]): readonly string[] {
  const imports = new Map(
    sources.map((file) => [
      file.path,
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(posix.dirname(file.path), specifier)),
    ]),
  );
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): readonly string[] => {
    const seen = path.indexOf(file);
    if (seen >= 0) return [...path.slice(seen), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of imports.get(file) ?? []) {
      const circle = walk(next);
      if (circle.length > 0) return circle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of imports.keys()) {
    const circle = walk(file);
    if (circle.length > 0) return circle;
  }
  return [];
}

it('has no files that import each other, not even types', () => {
  expect(circleIn([...shippedSources(), ...repositoryFiles('simulator/*.ts')])).toEqual([]);
});

it('would find a circle of three files', () => {
  const sources = [
    { path: 'src/a.ts', text: "import './b/c.ts';" },
    { path: 'src/b/c.ts', text: "import type { D } from '../d.ts';" },
    { path: 'src/d.ts', text: "export type { A } from './a.ts';" },
  ];
  expect(circleIn(sources)).toEqual(['src/a.ts', 'src/b/c.ts', 'src/d.ts', 'src/a.ts']);
});
