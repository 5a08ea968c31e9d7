import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly engines?: unknown;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

const { packages } = readJson('package-lock.json') as Lock;

describe('the lock file', () => {
  it('knows every platform package, or npm ci refuses it (complete it with scripts/complete-lockfile.ts)', () => {
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('compares no package with the Node that runs npm, for which npm ci would warn of each', () => {
    const named = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.engines !== undefined);
    expect(named.map(([path]) => path)).toEqual([]);
  });

  it('names no place to download from: the operator chooses it', () => {
    // A link names a folder of this repository.
    expect(Object.values(packages).filter(({ resolved, link }) => resolved !== undefined && link !== true)).toEqual([]);
  });
});

describe('the checkout', () => {
  it('allows the install script that fetches Node', () => {
    const manifest = readJson('package.json') as { allowScripts: Record<string, boolean> };
    expect(manifest.allowScripts['node']).toBe(true);
  });

  it('runs on the Node that its dev dependency brings', () => {
    const expected = packages['node_modules/node']?.version;
    const local = execFileSync(join(root, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' }).trim();
    expect(local).toBe(`v${expected}`);
    expect(process.version).toBe(local);
  });
});
