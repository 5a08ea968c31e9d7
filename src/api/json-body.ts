/** Reading JSON bodies without losing a digit. */
import { decodeText } from '../content/charset.ts';
import { type Json, parseJson } from '../core/json.ts';

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

/** Reads a text that is not empty. Numbers keep their digits; `__proto__` is an ordinary key. */
export function readJson(text: string): ReadJson {
  // Before parsing, which is what deep nesting would hurt.
  if (nestsDeeper(text, maxJsonDepth)) {
    return {
      ok: false,
      code: 'invalid_request',
      error: `request: JSON may be nested at most ${String(maxJsonDepth)} levels deep.`,
    };
  }
  try {
    return { ok: true, value: parseJson(text) };
  } catch (error) {
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

/** Whether a text would nest deeper as JSON. Text that is no JSON gives some answer. */
export function nestsDeeper(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) {
      i = endOfString(text, i);
    } else if (code === openBrace || code === openBracket) {
      if (++depth > limit) return true;
    } else if (code === closeBrace || code === closeBracket) depth--;
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Position of the quote that ends the string beginning at `start`; the end of the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}
