import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of this package, from package.json, which lies beside `src` and beside `dist`. */
export function packageVersion(): string {
  const path = join(import.meta.dirname, '../../package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
}
