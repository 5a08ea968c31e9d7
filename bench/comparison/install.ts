/** Installs what is compared, on demand and beside Trama: nothing of it is a dependency of Trama's. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

function manifestIn(path: string): Manifest | undefined {
  const file = join(folder, path, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest) : undefined;
}

/** The installed version of a package that is compared; undefined when there is none. */
export function installedVersion(packageName: string): string | undefined {
  return manifestIn(join('node_modules', packageName))?.version;
}

/**
 * Installs the versions that package.json of this folder names, without running any of their scripts. Does nothing when
 * they are all there.
 *
 * @returns undefined when they are there, else why not, in npm's words
 */
export function installCompared(): string | undefined {
  const wanted = Object.entries(manifestIn('.')?.dependencies ?? {});
  if (wanted.every(([name, version]) => installedVersion(name) === version)) return undefined;
  console.error(`Installing ${wanted.map(([name, version]) => `${name} ${version}`).join(', ')}`);
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, stderr, error } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split('\n').slice(0, 3).join(' ');
}
