import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediansOf, ratiosOf, targets, type Measurement } from '../../bench/comparison/report.ts';
import { systems } from '../../bench/comparison/systems.ts';
import { root } from './source-files.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const compared = JSON.parse(read('bench/comparison/package.json')) as Manifest;

describe('what Trama is compared with', () => {
  const lock = JSON.parse(read('bench/comparison/package-lock.json')) as {
    readonly packages: Readonly<
      Record<string, Partial<Manifest> & { readonly version?: string; readonly resolved?: string }>
    >;
  };

  it('is pinned, and locked at the same versions', () => {
    expect(lock.packages['']?.dependencies).toEqual(compared.dependencies);
    for (const [name, version] of Object.entries(compared.dependencies)) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect([name, lock.packages[`node_modules/${name}`]?.version]).toEqual([name, version]);
    }
  });

  it('names no registry', () => {
    expect(
      Object.entries(lock.packages).flatMap(([path, { resolved }]) => (resolved === undefined ? [] : [path])),
    ).toEqual([]);
  });

  it('is no dependency of Trama, and not in the repository', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Manifest;
    const own = { ...dependencies, ...devDependencies };
    const packages = systems.map((system) => system.packageName ?? '');
    expect(packages.filter((name) => name === '' || name in own)).toEqual([]);
    expect(execFileSync('git', ['ls-files', '*/node_modules/*'], { cwd: root, encoding: 'utf8' })).toBe('');
  });

  it('is on its page with its version, and with the ratio that is to be reached', () => {
    const page = read('docs/operating/performance.md');
    const names = systems.map((system) => `${system.name} ${compared.dependencies[system.packageName ?? ''] ?? '?'}`);
    expect(names.filter((name) => !page.includes(name))).toEqual([]);
    const stated = [...page.matchAll(/^\| Trama \/ ([^|]+) \|.*\| ≥ ([\d.]+) \|$/gm)];
    const asStated = Object.fromEntries(
      stated.map(([, name = '', ratio]) => [name.trim() === 'three bare calls' ? 'floor' : name.trim(), Number(ratio)]),
    );
    expect(asStated).toEqual(targets);
  });

  it('sends the bodies that Trama sends', () => {
    const bodyIn = (path: string): string | undefined => /note: '([^']+)'/.exec(read(path))?.[1];
    expect(bodyIn('bench/scenarios/chain.ts')).toBeDefined();
    expect(bodyIn('bench/comparison/calls.mjs')).toBe(bodyIn('bench/scenarios/chain.ts'));
  });
});

describe('the ratios of a comparison', () => {
  const at = (delayMillis: number, ...all: readonly (readonly [string, number])[]): Measurement[] =>
    all.map(([name, perSecond]) => ({ name, delayMillis, perSecond, cpuMillis: 1000 / perSecond }));

  it('compare each system with Trama just before and just after it, as the machine drifts', () => {
    const run = at(
      20,
      ['floor', 4000],
      ['Trama', 3000],
      ['BullMQ', 1000],
      ['floor', 2000],
      ['Trama', 1000],
      ['DBOS', 100],
      ['floor', 2000],
      ['Trama', 1000],
    );
    expect(ratiosOf(run)).toEqual([
      // 3000 / 3000, 1000 / 2000, 1000 / 2000
      { what: 'Trama / three bare calls', value: 0.5, target: 0.4 },
      { what: 'Trama / BullMQ', value: 2, target: 0.75 },
      { what: 'Trama / DBOS', value: 10, target: 10 },
    ]);
  });

  it('have targets for calls of 20 ms only', () => {
    const run = at(0, ['floor', 4000], ['Trama', 2000], ['Restate', 500], ['floor', 4000], ['Trama', 2000]);
    expect(ratiosOf(run).map(({ what, target }) => [what, target])).toEqual([
      ['Trama / three bare calls', undefined],
      ['Trama / Restate', undefined],
    ]);
  });

  it('leave out what was not measured', () => {
    expect(ratiosOf(at(20, ['floor', 4000], ['Trama', 2000])).map(({ what }) => what)).toEqual([
      'Trama / three bare calls',
    ]);
  });

  it('come with the medians of what was measured several times', () => {
    const run = at(20, ['Trama', 1000], ['BullMQ', 400], ['Trama', 2000], ['Trama', 5000]);
    expect(mediansOf(run)).toEqual([
      { name: 'Trama', delayMillis: 20, perSecond: 2000, cpuMillis: 0.5 },
      { name: 'BullMQ', delayMillis: 20, perSecond: 400, cpuMillis: 2.5 },
    ]);
  });
});
