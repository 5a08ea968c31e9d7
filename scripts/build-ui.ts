/**
 * Builds the web UI into dist/ui, each file also compressed (br, gzip): `node scripts/build-ui.ts`. While no source has
 * changed since the last build, it does nothing, so that every `npm run build` can call it.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { bundledNames } from './lockfile-packages.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'dist/ui');
const building = join(root, `dist/.ui-building-${String(process.pid)}`);
const replaced = join(root, `dist/.ui-replaced-${String(process.pid)}`);

/** What the bundle is made of: a change of any of these files makes another bundle. */
const sources = [
  'ui/index.html',
  'ui/package.json',
  'ui/vite.config.ts',
  'ui/src/**/*',
  'src/core/**/*.ts',
  'package-lock.json',
  'scripts/build-ui.ts',
];

async function hashOfSources(): Promise<string> {
  const files = globSync(sources, { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  const hash = createHash('sha256');
  for (const file of files) {
    hash
      .update(file.slice(root.length))
      .update('\0')
      .update(await readFile(file))
      .update('\0');
  }
  return hash.digest('hex');
}

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/** Files below this size gain nothing from compression. */
const minCompressedBytes = 512;

async function compressAll(): Promise<void> {
  const jobs = globSync('**/*.{js,css,svg}', { cwd: building }).map(async (name) => {
    const file = join(building, name);
    const content = await readFile(file);
    if (content.length < minCompressedBytes) return;
    const size = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
    await writeFile(`${file}.br`, await brotli(content, { params: size }));
    await writeFile(`${file}.gz`, await zip(content, { level: 9 }));
  });
  await Promise.all(jobs);
}

/** A package in the list of licences that Vite writes. */
interface Licence {
  readonly name: string;
  readonly version: string;
  readonly identifier: string | null;
  readonly text?: string;
}

/**
 * Adds the packages of workers, which Vite leaves out, to the list of licences. Throws while the list is not the one that
 * the manifest of the UI gives, which the licence page and the list for scanners rely on.
 */
async function completeLicences(): Promise<void> {
  const file = join(building, 'licences.json');
  const found = JSON.parse(await readFile(file, 'utf8')) as readonly Licence[];
  const bundled = bundledNames(root);
  const unlisted = found.filter(({ name }) => !bundled.has(name)).map(({ name }) => name);
  if (unlisted.length > 0) {
    throw new Error(`The web UI bundles ${unlisted.join(', ')}: add it to \`bundled\` in ui/package.json.`);
  }
  const known = new Set(found.map(({ name }) => name));
  const missing = [...bundled].filter((name) => !known.has(name)).map((name) => licenceOf(name));
  const all = [...found, ...(await Promise.all(missing))].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  await writeFile(file, `${JSON.stringify(all, undefined, 2)}\n`);
}

async function licenceOf(name: string): Promise<Licence> {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly license: string;
  };
  const [notice] = globSync('LICEN[CS]E*', { cwd: folder });
  const text = notice === undefined ? undefined : await readFile(join(folder, notice), 'utf8');
  return { name, version, identifier: license, ...(text !== undefined && { text }) };
}

const stamp = join(target, '.sources');
const wanted = await hashOfSources();
const built = await readFile(stamp, 'utf8').catch(() => undefined);
if (built !== wanted) {
  const { build } = await import('vite');
  await mkdir(building, { recursive: true });
  try {
    await build({ root: join(root, 'ui'), logLevel: 'warn', build: { outDir: building, emptyOutDir: true } });
    await completeLicences();
    await compressAll();
    await writeFile(join(building, '.sources'), wanted);
    // Renaming leaves no moment in which a server that starts could list half of the files.
    await rename(target, replaced).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    await rename(building, target);
  } finally {
    await rm(building, { recursive: true, force: true });
    await rm(replaced, { recursive: true, force: true });
  }
}
