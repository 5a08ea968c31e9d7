/**
 * Copies what the compiler leaves behind (SQL, Lua, JSON, web files) from src/ to the same place under dist/, so that
 * code finds its assets beside itself in both. Assets whose source is gone are removed: code may list a directory.
 */
import { copyFile, glob, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const source = join(import.meta.dirname, '../src');
const target = join(import.meta.dirname, '../dist');

async function assetsUnder(directory: string): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const path of glob('**/*.{sql,lua,json,html,css}', { cwd: directory })) {
    // The web UI has a build of its own: scripts/build-ui.ts.
    if (!path.endsWith('tsconfig.json') && !path.startsWith('ui/')) found.add(path);
  }
  return found;
}

const assets = await assetsUnder(source);
for (const asset of assets) {
  const [from, to] = [join(source, asset), join(target, asset)];
  // What is there already is left alone: a process that starts meanwhile may be reading it.
  const [wanted, known] = await Promise.all([readFile(from), readFile(to).catch(() => undefined)]);
  if (known?.equals(wanted) === true) continue;
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}
for (const asset of await assetsUnder(target)) {
  if (!assets.has(asset)) await rm(join(target, asset));
}
