/** The packages of package-lock.json: what is installed, under which licence, and what needs what. Nothing is fetched. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One installed package. The same name and version may be installed in several places; then it is here once. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression; undefined where the lock file does not say, as with packages for other platforms than the one it was made on. */
  readonly licence: string | undefined;
  /** `sha512-` and base64; undefined where the lock file has none. */
  readonly integrity: string | undefined;
  /** Only needed to develop: neither installed with the package nor bundled into the web UI. */
  readonly isDev: boolean;
  /** Keys (`name@version`) of what it needs and what is installed. */
  readonly needs: readonly string[];
}

/** What a lock file says. */
export interface LockedTree {
  readonly name: string;
  readonly version: string;
  readonly licence: string | undefined;
  /** Keys of what the project itself names. */
  readonly needs: readonly string[];
  /** In the order of their keys. */
  readonly packages: readonly LockedPackage[];
}

interface Entry {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Names a package in one version. */
export function keyOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}

const folder = 'node_modules/';

/**
 * Packages that the build of the web UI puts into its files, by `bundled` of its manifest: they are shipped, although they
 * are only installed to develop. The build fails while the list is not what it bundles.
 */
export function bundledNames(checkout: string): ReadonlySet<string> {
  const manifest = join(checkout, 'ui/package.json');
  if (!existsSync(manifest)) return new Set();
  const { bundled = [] } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly bundled?: readonly string[] };
  return new Set(bundled);
}

/** Reads the lock file of a checkout. @throws Error when it cannot be read or is older than npm 7. */
export function readLockfile(checkout: string = join(import.meta.dirname, '..')): LockedTree {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    readonly packages?: Readonly<Record<string, Entry>>;
  };
  const bundled = bundledNames(checkout);
  const entries = lock.packages;
  const root = entries?.[''];
  if (entries === undefined || root === undefined) throw new Error('package-lock.json has no list of packages.');

  /** The entry that `name` means when it is asked for from `path`: the nearest, as Node looks for it. */
  const resolve = (path: string, name: string): string | undefined => {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf(folder) - 1))) {
      const candidate = at === '' ? `${folder}${name}` : `${at}/${folder}${name}`;
      const entry = entries[candidate];
      if (entry?.version !== undefined) return keyOf({ name: entry.name ?? name, version: entry.version });
      if (at === '') return undefined;
    }
  };
  const needsOf = (path: string, entry: Entry): readonly string[] => {
    const names = [entry.dependencies, entry.optionalDependencies, entry.peerDependencies].flatMap((group) =>
      Object.keys(group ?? {}),
    );
    return [...new Set(names.flatMap((name) => resolve(path, name) ?? []))].toSorted();
  };

  const directlyBundled = Object.keys(entries['ui']?.devDependencies ?? {})
    .filter((name) => bundled.has(name))
    .flatMap((name) => resolve('ui', name) ?? []);

  const packages = new Map<string, LockedPackage>();
  for (const [path, entry] of Object.entries(entries)) {
    if (path === '' || entry.version === undefined) continue;
    const name = entry.name ?? path.slice(path.lastIndexOf(folder) + folder.length);
    const key = keyOf({ name, version: entry.version });
    const known = packages.get(key);
    packages.set(key, {
      name,
      version: entry.version,
      licence: entry.license ?? known?.licence,
      integrity: entry.integrity ?? known?.integrity,
      isDev: entry.dev === true && known?.isDev !== false && !bundled.has(name),
      needs: [...new Set([...(known?.needs ?? []), ...needsOf(path, entry)])].toSorted(),
    });
  }
  return {
    name: root.name ?? '',
    version: root.version ?? '',
    licence: root.license,
    needs: [...new Set([...needsOf('', root), ...directlyBundled])].toSorted(),
    packages: [...packages.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
  };
}
