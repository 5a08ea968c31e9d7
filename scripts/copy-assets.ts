/**
 * Copies what the compiler leaves behind (SQL, Lua, JSON, web files) from src/ to the same place under dist/, so that
 * code finds its assets beside itself in both.
 */
import { copyFile, glob, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');

for await (const asset of glob('**/*.{sql,lua,json,html,css}', {
  cwd: join(root, 'src'),
  exclude: (name) => name.endsWith('tsconfig.json'),
})) {
  const target = join(root, 'dist', asset);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(join(root, 'src', asset), target);
}
