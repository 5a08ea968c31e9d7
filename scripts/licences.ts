/** Writes docs/licences.md from the lock file: `node scripts/licences.ts`. A test fails while the page is not current. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLockfile, type LockedTree } from './lockfile-packages.ts';

/** Where the page is, relative to the checkout. */
export const licencesPagePath = 'docs/licences.md';

/** Licences that a package of ours may have: they allow use, change and distribution, and ask for their notice to be kept. */
export const acceptedLicences: ReadonlySet<string> = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
]);

/** The text of the page. */
export function licencesPage(tree: LockedTree): string {
  const shipped = tree.packages.filter(({ isDev }) => !isDev);
  const dev = tree.packages.filter(({ isDev }) => isDev);
  const unsaid = 'not said (packages for other platforms)';
  const counts = [...Map.groupBy(dev, ({ licence }) => licence ?? unsaid)]
    .map(([licence, of]) => [licence, of.length] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    '<!-- Made by scripts/licences.ts from package-lock.json; do not change it here. -->',
    '',
    '# Licences',
    '',
    `Trama is licensed under ${tree.licence ?? unsaid}. This is what is installed with it or bundled into its web UI, from the lock file. \`node scripts/sbom.ts\` prints the same for machines`,
    `(CycloneDX). A new dependency must have one of: ${[...acceptedLicences].toSorted().join(', ')}.`,
    '',
    '## Shipped',
    '',
    '| Package | Version | Licence |',
    '|---|---|---|',
    ...shipped.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence ?? unsaid} |`),
    '',
    '## Only to develop',
    '',
    '| Licence | Packages |',
    '|---|---|',
    ...counts.map(([licence, count]) => `| ${licence} | ${String(count)} |`),
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '..', licencesPagePath), licencesPage(readLockfile()));
