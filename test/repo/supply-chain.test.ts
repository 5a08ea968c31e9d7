import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acceptedLicences, licencesPage, licencesPagePath } from '../../scripts/licences.ts';
import { bundledNames, keyOf, readLockfile } from '../../scripts/lockfile-packages.ts';
import { sbomOf } from '../../scripts/sbom.ts';
import { root } from './source-files.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const tree = readLockfile();
const manifest = JSON.parse(read('package.json')) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

describe('licences', () => {
  it('of everything that is shipped are known and accepted', () => {
    const shipped = tree.packages.filter(({ isDev }) => !isDev);
    expect(shipped.length).toBeGreaterThan(Object.keys(manifest.dependencies).length);
    expect(shipped.filter(({ licence }) => !acceptedLicences.has(licence ?? '')).map((each) => keyOf(each))).toEqual(
      [],
    );
  });

  it('are listed on their page (renew it with node scripts/licences.ts)', () => {
    expect(read(licencesPagePath)).toBe(licencesPage(tree));
  });
});

it.each(['package-lock.json', 'bench/comparison/package-lock.json'])(
  '%s has a hash for every package, of every platform',
  (path) => {
    const { packages } = JSON.parse(read(path)) as {
      packages: Record<string, { integrity?: string; link?: boolean; inBundle?: boolean }>;
    };
    // A link and an entry without that folder are folders of this repository; what comes within another package is covered by the hash of that one.
    const fetched = Object.entries(packages).filter(
      ([place, { link, inBundle }]) => place.includes('node_modules/') && link !== true && inBundle !== true,
    );
    expect(fetched.length).toBeGreaterThan(20);
    const unhashed = fetched.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''));
    expect(unhashed.map(([place]) => place)).toEqual([]);
  },
);

describe('the review of dependencies', () => {
  const review = read('docs/decisions/0001-dependencies.md');
  const rows = new Map(
    [...review.matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|/gm)].map(([, name = '', licence = '', why = '']) => [
      name,
      { licence: licence.trim(), why: why.trim() },
    ]),
  );

  it('has every dependency, and no other', () => {
    const named = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
    expect([...rows.keys()].toSorted()).toEqual(named.toSorted());
  });

  it('says why, and the licence that the package has', () => {
    for (const [name, { licence, why }] of rows) {
      const installed = tree.packages.find((each) => each.name === name);
      expect([name, licence]).toEqual([name, installed?.licence]);
      expect(why.length).toBeGreaterThan(3);
    }
  });

  it('is right that nothing shipped runs anything when it is installed', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    const scripted = Object.entries(packages).filter(
      ([, entry]) => entry.hasInstallScript === true && entry.dev !== true,
    );
    expect(scripted.map(([path]) => path)).toEqual([]);
  });
});

describe('decision records', () => {
  const folder = 'docs/decisions';
  const records = readdirSync(join(root, folder)).filter((name) => /^\d{4}-/.test(name));

  it('are numbered in order and listed', () => {
    expect(records.map((name) => Number(name.slice(0, 4)))).toEqual(records.map((_, index) => index + 1));
    expect(records.filter((name) => !read(`${folder}/README.md`).includes(`(${name})`))).toEqual([]);
  });

  it.each(records)('%s has the form', (name) => {
    const text = read(`${folder}/${name}`);
    expect(text.startsWith(`# ${name.slice(0, 4)}: `)).toBe(true);
    expect(text).toMatch(/^Status: (?:accepted|replaced by \d{4})\nDate: \d{4}-\d{2}\n/m);
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(['Context', 'Decision', 'Alternatives', 'Consequences']);
  });
});

describe('the list for scanners', () => {
  const sbom = sbomOf(tree, false);

  it('is CycloneDX with one component per shipped package, hash and licence included', () => {
    expect([sbom.bomFormat, sbom.specVersion, sbom.metadata.component.name]).toEqual(['CycloneDX', '1.6', 'trama']);
    expect(sbom.components.length).toBe(tree.packages.filter(({ isDev }) => !isDev).length);
    for (const { purl, hashes, licenses, scope } of sbom.components) {
      expect(purl).toMatch(/^pkg:npm\/(?:%40[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+/);
      expect([purl, hashes?.[0]?.content.length, licenses.length, scope]).toEqual([purl, 128, 1, 'required']);
    }
    const refs = sbom.components.map((each) => each['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
  });

  it('connects everything to the application, and names nothing that is not there', () => {
    const needs = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
    expect([...needs.values()].flat().filter((ref) => !needs.has(ref))).toEqual([]);
    const self = sbom.metadata.component['bom-ref'];
    const direct = Object.keys((JSON.parse(read('ui/package.json')) as typeof manifest).devDependencies);
    const named = new Set([
      ...Object.keys(manifest.dependencies),
      ...direct.filter((name) => bundledNames(root).has(name)),
    ]);
    expect(needs.get(self)).toHaveLength(named.size);
    const reached = new Set([self]);
    for (const ref of reached) for (const next of needs.get(ref) ?? []) reached.add(next);
    expect(sbom.components.filter((each) => !reached.has(each['bom-ref'])).map(({ purl }) => purl)).toEqual([]);
  });

  it('finds the version that a package really gets where there are several', () => {
    const versions = sbom.components.filter(({ name }) => name === 'fast-uri').map(({ version }) => version);
    expect(versions.length).toBeGreaterThan(1);
    const ajv = sbom.dependencies.find(({ ref }) => ref.startsWith('pkg:npm/ajv@'));
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
    expect(ajv?.dependsOn).toContain(`pkg:npm/fast-uri@${lock.packages['node_modules/fast-uri']?.version ?? ''}`);
  });

  it('has what is needed to develop on demand, and then says that it is not shipped', () => {
    const all = sbomOf(tree, true);
    expect(all.components.length).toBe(tree.packages.length);
    expect(all.components.find(({ name }) => name === 'vitest')?.scope).toBe('excluded');
  });

  it('is the same for the same lock file', () => {
    expect(JSON.stringify(sbomOf(readLockfile(), false))).toBe(JSON.stringify(sbom));
  });
});
