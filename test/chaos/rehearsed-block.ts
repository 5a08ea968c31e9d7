/** Blocks of the documents, run as they are written. */
import { spawn } from 'node:child_process';
import { documentedBlocks } from '../repo/documented-blocks.ts';

/**
 * Runs the only block of a page that begins so, with these variables, as a shell does that stops at the first failure. Answers what was
 * said. Throws when there is no such block, or several, or when it fails.
 */
export async function runBlock(
  page: string,
  beginning: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const found = (documentedBlocks.get(page) ?? []).filter(({ text }) => text.startsWith(beginning));
  const [block] = found;
  if (block === undefined || found.length > 1) throw new Error(`${page} has ${found.length} blocks "${beginning}…"`);
  const child = spawn('bash', ['-euo', 'pipefail', '-c', block.text], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (said += part));
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${block.place} ended with ${String(code)}:\n${said}`);
  return said;
}
