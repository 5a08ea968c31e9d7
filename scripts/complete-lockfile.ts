/**
 * Adds to package-lock.json the platform packages (optional dependencies such as `@scope/binding-darwin-arm64`) that npm
 * left out because the registry it asked does not offer them. `npm ci` refuses a lock file without them, even on
 * platforms that would never install them. Run it after `npm install`; a second run changes nothing.
 *
 * The added entries have a version and a platform, but no integrity hash, which cannot be computed without the package.
 *
 * It also takes away for which Node each package is (`engines`): npm would compare it with the Node that runs npm, which may be any
 * from 20 on, and warn of each package by itself, while all of them run on the Node that the project brings.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  engines?: unknown;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  packages: Record<string, LockEntry>;
}

const operatingSystems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'windows'];
const processors = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/** The platform that a package's name speaks of. Throws when it names none: then a person has to look. */
function platformOf(packageName: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = packageName.split(/[-/]/);
  const os = operatingSystems.find((name) => words.includes(name));
  const cpu = processors.find((name) => words.includes(name));
  if (os === undefined || cpu === undefined) throw new Error(`${packageName}: no platform in its name`);
  const isMusl = words.some((word) => word.startsWith('musl'));
  const isGlibc = words.some((word) => word.startsWith('gnu'));
  return {
    os: [os === 'windows' ? 'win32' : os],
    cpu: [cpu],
    ...(os === 'linux' && (isMusl || isGlibc) && { libc: [isMusl ? 'musl' : 'glibc'] }),
  };
}

const file = join(import.meta.dirname, '../package-lock.json');
const lock = JSON.parse(await readFile(file, 'utf8')) as LockFile;
const added: string[] = [];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages) continue;
    const { os, cpu, libc } = platformOf(name);
    const missing = {
      version,
      cpu,
      ...(entry.dev === true && { dev: true }),
      ...(libc && { libc }),
      optional: true,
      os,
    };
    lock.packages[`node_modules/${name}`] = missing;
    added.push(`${name}@${version}`);
  }
}

let stripped = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  // What the project itself needs stays.
  if (path === '' || entry.engines === undefined) continue;
  delete entry.engines;
  stripped++;
}

if (added.length + stripped > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(sorted);
  await writeFile(file, `${JSON.stringify(lock, undefined, 2)}\n`);
}
if (added.length > 0) console.log(`Added:\n  ${added.join('\n  ')}`);
if (stripped > 0) console.log(`Took away engines of ${String(stripped)} packages.`);
if (added.length + stripped === 0) console.log('package-lock.json is complete');
