import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { placeOf } from './backends.ts';

/** In the checkout and in the package, beside `src` and `dist`; the image omits it. */
const documentation = join(import.meta.dirname, '../../docs/README.md');

/**
 * The fields of the log line `ready`: URL, address of the web UI if it is served, place of the data, documentation.
 * `startedAt` is when the process began to start, in milliseconds of `performance.now()`.
 */
export function readyFields(
  config: Config,
  url: string,
  startedAt: number,
  hasUi: boolean,
): Readonly<Record<string, string | number>> {
  const place = placeOf(config);
  return {
    url,
    ...(hasUi && { ui: `${url}/ui/` }),
    startupMillis: Math.round(performance.now() - startedAt),
    ...(config.database.driver === 'EMBEDDED' ? { dataDir: resolve(place) } : { database: place }),
    ...(existsSync(documentation) ? { documentation } : undefined),
  };
}
