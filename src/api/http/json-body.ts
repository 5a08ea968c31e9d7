import { decodeText } from '../../content/charset.ts';
import type { Json } from '../../core/value/json.ts';
import { DuplicateKey, membersWritten, parseUniqueJson } from '../../core/value/unique-json.ts';

/** Deepest nesting of a request's JSON. */
const maxJsonDepth = 64;

/** A parsed JSON text, or a sentence with the problem. */
export type ReadJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly code: 'malformed_json' | 'invalid_request'; readonly error: string };

/**
 * Parses non-empty bytes in the charset of their Content-Type, UTF-8 by default, with or without a byte order mark.
 * Refuses undecodable bytes, because replacement characters were never sent.
 */
export function readJsonBytes(bytes: Buffer, contentType: string | undefined): ReadJson {
  const text = decodeText(bytes, contentType);
  return typeof text === 'string'
    ? readJson(text)
    : { ok: false, code: 'malformed_json', error: `The body ${text.problem}.` };
}

/**
 * Parses a non-empty text. Numbers keep their digits and `__proto__` is an ordinary key. A duplicate key is an error,
 * since one of its values would be ignored.
 */
export function readJson(text: string): ReadJson {
  // Checked before parsing, which deep nesting would harm.
  const members = membersWritten(text, maxJsonDepth);
  if (members === -1) {
    return {
      ok: false,
      code: 'invalid_request',
      error: `request: JSON may be nested at most ${String(maxJsonDepth)} levels deep.`,
    };
  }
  try {
    return { ok: true, value: parseUniqueJson(text, members) };
  } catch (error) {
    if (error instanceof DuplicateKey) return { ok: false, code: 'invalid_request', error: error.message };
    return { ok: false, code: 'malformed_json', error: sentenceOf(error, text) };
  }
}

/** Takes only the position from the parser's message, which quotes the body. */
function sentenceOf(error: unknown, text: string): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  if (position === undefined) return 'The body is not valid JSON.';
  const before = text.slice(0, Number(position));
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  return `The body is not valid JSON: line ${String(line)}, column ${String(column)}.`;
}
