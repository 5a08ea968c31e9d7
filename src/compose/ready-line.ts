/** What the log says once the server is ready: where it is reached, where its data is, where it is documented. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { placeOf } from './backends.ts';

/** In the checkout and in the package, beside `src` and `dist`; the image leaves it out. */
const documentation = join(import.meta.dirname, '../../docs/README.md');

/** Fields of that line. `startedAt` is when the process began to start, in milliseconds of `performance.now()`. */
export function readyFields(config: Config, url: string, startedAt: number): Readonly<Record<string, string | number>> {
  const place = placeOf(config);
  return {
    url,
    startupMillis: Math.round(performance.now() - startedAt),
    ...(config.database.driver === 'EMBEDDED' ? { dataDir: resolve(place) } : { database: place }),
    ...(existsSync(documentation) ? { documentation } : undefined),
  };
}
