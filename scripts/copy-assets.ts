/**
 * Copies what the compiler leaves behind (SQL, Lua, JSON, web files) from src/ to the same place under dist/, so that
 * code finds its assets beside itself in both. Assets whose source is gone are removed: code may list a directory.
 */
import { copyFile, glob, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const source = join(import.meta.dirname, '../src');
const target = join(import.meta.dirname, '../dist');

async function assetsUnder(directory: string): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const path of glob('**/*.{sql,lua,json,html,css}', { cwd: directory })) {
    if (!path.endsWith('tsconfig.json')) found.add(path);
  }
  return found;
}

const assets = await assetsUnder(source);
for (const asset of assets) {
  await mkdir(dirname(join(target, asset)), { recursive: true });
  await copyFile(join(source, asset), join(target, asset));
}
for (const asset of await assetsUnder(target)) {
  if (!assets.has(asset)) await rm(join(target, asset));
}
