/**
 * Prints what is inside a release as a CycloneDX 1.6 document (https://cyclonedx.org/docs/1.6/json/), from the lock file alone:
 * `node scripts/sbom.ts > trama.cdx.json`; with `--dev` what is needed to develop, too. The same lock file gives the same
 * text, so it has neither a time nor a serial number.
 */
import { keyOf, readLockfile, type LockedPackage, type LockedTree } from './lockfile-packages.ts';

interface Component {
  readonly type: 'application' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly group?: string;
  readonly version: string;
  readonly purl: string;
  readonly scope?: 'required' | 'excluded';
  readonly licenses: readonly object[];
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[];
}

/** A CycloneDX document of what the package contains. */
export interface Sbom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly version: 1;
  readonly metadata: { readonly component: Component; readonly tools: object };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The package URL (https://github.com/package-url/purl-spec): the @ of a scope is escaped. */
function purlOf(key: string): string {
  const at = key.lastIndexOf('@');
  return `pkg:npm/${key.slice(0, at).replace('@', '%40')}@${key.slice(at + 1)}`;
}

function licencesOf(licence: string | undefined): readonly object[] {
  if (licence === undefined) return [];
  return / |\(/.test(licence) ? [{ expression: licence }] : [{ license: { id: licence } }];
}

function component({ name, version, licence, integrity, isDev }: LockedPackage): Component {
  const purl = purlOf(keyOf({ name, version }));
  const [group, base] = name.startsWith('@') ? name.split('/') : [undefined, name];
  return {
    type: 'library',
    'bom-ref': purl,
    name: base ?? name,
    ...(group === undefined ? {} : { group }),
    version,
    purl,
    scope: isDev ? 'excluded' : 'required',
    licenses: licencesOf(licence),
    ...(integrity?.startsWith('sha512-') === true
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }] }
      : {}),
  };
}

/** The document for a lock file; `withDev` adds what is only needed to develop. */
export function sbomOf(tree: LockedTree, withDev: boolean): Sbom {
  const packages = tree.packages.filter(({ isDev }) => withDev || !isDev);
  const included = new Set(packages.map((each) => keyOf(each)));
  const self = purlOf(keyOf(tree));
  const edges = (ref: string, needs: readonly string[]): Sbom['dependencies'][number] => ({
    ref,
    dependsOn: needs.filter((key) => included.has(key)).map((key) => purlOf(key)),
  });
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': self,
        name: tree.name,
        version: tree.version,
        purl: self,
        licenses: licencesOf(tree.licence),
      },
      tools: { components: [{ type: 'application', name: 'scripts/sbom.ts', version: tree.version }] },
    },
    components: packages.map((each) => component(each)),
    dependencies: [edges(self, tree.needs), ...packages.map((each) => edges(purlOf(keyOf(each)), each.needs))],
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(sbomOf(readLockfile(), process.argv.includes('--dev')), undefined, 2));
}
