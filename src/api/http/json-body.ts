/** Reading JSON bodies without losing a digit. */
import { decodeText } from '../../content/charset.ts';
import type { Json } from '../../core/value/json.ts';
import { DuplicateKey, membersWritten, parseUniqueJson } from '../../core/value/unique-json.ts';

/** Nesting of a request's JSON at most. */
const maxJsonDepth = 64;

/** A text read as JSON, or the sentence that says why it is none. */
export type ReadJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly code: 'malformed_json' | 'invalid_request'; readonly error: string };

/**
 * Reads bytes that are not empty in the charset that their Content-Type declares, else as UTF-8, with or without a byte order mark.
 * Bytes that cannot be decoded are refused, since what would stand in their place was never sent.
 */
export function readJsonBytes(bytes: Buffer, contentType: string | undefined): ReadJson {
  const text = decodeText(bytes, contentType);
  return typeof text === 'string'
    ? readJson(text)
    : { ok: false, code: 'malformed_json', error: `The body ${text.problem}.` };
}

/**
 * Reads a text that is not empty. Numbers keep their digits; `__proto__` is an ordinary key; a key that stands twice in its
 * object is an error, since one of its values would be taken in without effect.
 */
export function readJson(text: string): ReadJson {
  // Before parsing, which is what deep nesting would hurt.
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

/** The parser's message quotes the body; only the place is taken from it. */
function sentenceOf(error: unknown, text: string): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  if (position === undefined) return 'The body is not valid JSON.';
  const before = text.slice(0, Number(position));
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  return `The body is not valid JSON: line ${String(line)}, column ${String(column)}.`;
}
