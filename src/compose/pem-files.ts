/** Certificates and keys in files. */
import { readFileSync } from 'node:fs';

/**
 * The text of a PEM file; undefined when none is configured.
 *
 * @throws Error naming the key of the configuration when the file cannot be read or holds no PEM.
 */
export function readPemFile(path: string | undefined, key: string): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new Error(`${key}: the file ${path} cannot be read (${reason}).`, { cause: error });
  }
  if (!text.includes('-----BEGIN ')) throw new Error(`${key}: the file ${path} holds no PEM text.`);
  return text;
}
