/** Before the tests of the web UI: installs Chromium where it is missing, and builds the UI if its sources have changed. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisionServers } from '../../test/servers/provision.ts';

/** Called by the test runner once. */
export async function setup(): Promise<void> {
  await provisionServers();
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../scripts/build-ui.ts')]);
}
