import { join } from 'node:path';
import { UiFiles } from '../api/http/ui-files.ts';
import type { Config } from '../config/config.ts';
import type { Telemetry } from '../ports/telemetry.ts';

/** The compiled program finds the built UI in `dist/ui`, and so do the sources, which have it in the checkout. */
const folder = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../../dist/ui')
  : join(import.meta.dirname, '../ui');

/** The files of the web UI; undefined if the configuration switches it off, or if the checkout has not built it. */
export function uiFilesOf(
  { ui, server }: Pick<Config, 'ui' | 'server'>,
  telemetry: Pick<Telemetry, 'log'>,
): UiFiles | undefined {
  if (!ui.enabled || !server.api) return undefined;
  const files = UiFiles.within(folder);
  if (files === undefined) {
    telemetry.log('info', 'the web UI is not built, so /ui is not served: npm run build builds it', { folder });
  }
  return files;
}
