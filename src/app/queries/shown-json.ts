import { isJsonType } from '../../content/media-type.ts';
import { type Json, parseJson } from '../../core/value/json.ts';

/** Deeper values stay text, as in answers, which bounds the work of walking a document. */
const maxDepth = 64;

/** The replacement text of masking. */
const mask = '***';

/** Parses a masked body that its headers declare as JSON; returns the text if they do not, or if it is not JSON. */
export function valueOfBody(text: string, headers: Readonly<Record<string, string>> | undefined): Json {
  for (const name in headers) {
    if (name.toLowerCase() === 'content-type') return isJsonType(headers[name] ?? '') ? valueOfJson(text) : text;
  }
  return text;
}

/** Parses masked JSON text; returns the text if it is not JSON. A masked number becomes the text `***`. */
export function valueOfJson(text: string): Json {
  if (isTooDeep(text)) return text;
  const value = parsed(text, undefined);
  if (value !== undefined) return value;
  return text.includes(mask) ? parsed(maskedNumbersQuoted(text), text) : text;
}

/**
 * Quotes masked numbers as strings. Works in one pass; a regular expression would retry each position of a long run.
 */
function maskedNumbersQuoted(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let i = 0; i < text.length;) {
    if (text.charCodeAt(i) === quote) i = endOfString(text, i);
    else if (!isOfNumber(text.charCodeAt(i))) i++;
    else {
      const begin = i;
      while (isOfNumber(text.charCodeAt(i))) i++;
      if (!text.slice(begin, i).includes(mask)) continue;
      quoted += `${text.slice(copied, begin)}"${mask}"`;
      copied = i;
    }
  }
  return quoted + text.slice(copied);
}

const quote = 0x22;
const backslash = 0x5c;

/** The index after the string that begins at `begin`; the end of the text if it is unterminated. */
function endOfString(text: string, begin: number): number {
  for (let i = begin + 1; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === backslash) i++;
    else if (char === quote) return i + 1;
  }
  return text.length;
}

/** Whether a character can be part of a number or of a masked one; false for NaN, the code after the end. */
function isOfNumber(char: number): boolean {
  return (char >= 0x2a && char <= 0x2e && char !== 0x2c) || (char >= 0x30 && char <= 0x39) || (char | 0x20) === 0x65;
}

/** Parses a text; returns `other` if it is not JSON. */
function parsed<T>(text: string, other: T): Json | T {
  try {
    return parseJson(text);
  } catch {
    return other;
  }
}

function isTooDeep(text: string): boolean {
  // Each level takes at least two characters.
  if (text.length < 2 * (maxDepth + 1)) return false;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (isInString) {
      if (char === backslash) i++;
      else if (char === quote) isInString = false;
    } else if (char === quote) isInString = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > maxDepth) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}
