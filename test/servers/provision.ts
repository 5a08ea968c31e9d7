/**
 * Finds the real servers that tests start, and the program that checks alerts: on the PATH, where Debian keeps them, or freshly installed by apt-get (as root
 * on Debian or Ubuntu). Where none of that works the error says what to install; nothing is ever skipped.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A program, the Debian package that has it, and folders beyond the PATH in which it may be. */
interface Wanted {
  readonly program: string;
  readonly debianPackage: string;
  readonly folders: () => readonly string[];
}

const wanted: readonly Wanted[] = [
  { program: 'redis-server', debianPackage: 'redis-server', folders: () => [] },
  { program: 'postgres', debianPackage: 'postgresql', folders: postgresFolders },
  { program: 'initdb', debianPackage: 'postgresql', folders: postgresFolders },
  { program: 'pgbouncer', debianPackage: 'pgbouncer', folders: () => ['/usr/sbin'] },
  { program: 'promtool', debianPackage: 'prometheus', folders: () => [] },
  // What the tests of the web UI drive.
  { program: 'chromium', debianPackage: 'chromium', folders: () => [] },
  // What the runbooks ask with.
  { program: 'psql', debianPackage: 'postgresql-client', folders: postgresFolders },
  { program: 'redis-cli', debianPackage: 'redis-tools', folders: () => [] },
  { program: 'curl', debianPackage: 'curl', folders: () => [] },
  { program: 'jq', debianPackage: 'jq', folders: () => [] },
];

/** Debian keeps the programs of each Postgres version apart, newest last. */
function postgresFolders(): readonly string[] {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, 'bin'));
}

function find({ program, folders }: Wanted): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...path, ...folders()].map((folder) => join(folder, program)).find((file) => existsSync(file));
}

/** The path of a program. Throws a sentence that says what to install when it is missing. */
export function programPath(
  program: 'redis-server' | 'postgres' | 'initdb' | 'pgbouncer' | 'promtool' | 'chromium',
): string {
  const entry = wanted.find((each) => each.program === program);
  const found = entry && find(entry);
  if (found === undefined) throw new Error(`${program} is missing: ${advice([entry?.debianPackage ?? program])}`);
  return found;
}

function advice(packages: readonly string[]): string {
  return `install it, on Debian or Ubuntu with: apt-get update && apt-get install -y ${packages.join(' ')}`;
}

/**
 * Installs what is missing, once, before any test runs. A second call finds everything and does nothing.
 *
 * @throws Error with a sentence for people when something is missing and cannot be installed.
 */
export async function provisionServers(): Promise<void> {
  const missing = wanted.filter((each) => find(each) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((each) => each.debianPackage))];
  const names = missing.map((each) => each.program).join(', ');
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`The tests need real servers, and ${names} is missing: ${advice(packages)}`);
  }
  process.stderr.write(`Installing ${packages.join(' and ')} (${names} is missing)\n`);
  // Debian starts a server of its own after an installation unless a policy forbids it: the tests start theirs.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { env, timeout: 600_000, maxBuffer: 64 * 1024 * 1024 };
  try {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], options);
  } catch (error) {
    throw new Error(`apt-get could not install ${packages.join(' ')}: ${advice(packages)}`, { cause: error });
  }
  const still = wanted.filter((each) => find(each) === undefined).map((each) => each.program);
  if (still.length > 0) throw new Error(`Still missing after the installation: ${still.join(', ')}.`);
}
