/** Bodies of the history as JSON values, from the masked texts in which they are kept. */
import { isJsonType } from '../../content/media-type.ts';
import { type Json, parseJson } from '../../core/value/json.ts';

/** Nested deeper it stays text, as in answers: whatever walks the document must come to its end. */
const maxDepth = 64;

/** What masking writes. */
const mask = '***';

/** A body whose headers say that it is JSON as its value; the text itself where they do not, or where it is none. */
export function valueOfBody(text: string, headers: Readonly<Record<string, string>> | undefined): Json {
  for (const name in headers) {
    if (name.toLowerCase() === 'content-type') return isJsonType(headers[name] ?? '') ? valueOfJson(text) : text;
  }
  return text;
}

/** The value of JSON text; the text itself where it is none. A number that is masked is the text `***`. */
export function valueOfJson(text: string): Json {
  if (isTooDeep(text)) return text;
  const value = parsed(text, undefined);
  if (value !== undefined) return value;
  return text.includes(mask) ? parsed(maskedNumbersQuoted(text), text) : text;
}

/** The text with what masking has made of numbers as strings. In one walk: a regular expression tries each place of a long run anew. */
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

/** Behind the string that begins at `begin`; the end of the text where it does not end. */
function endOfString(text: string, begin: number): number {
  for (let i = begin + 1; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === backslash) i++;
    else if (char === quote) return i + 1;
  }
  return text.length;
}

/** Whether a character stands in numbers, or in what is left of one that is masked. NaN, behind the end, does not. */
function isOfNumber(char: number): boolean {
  return (char >= 0x2a && char <= 0x2e && char !== 0x2c) || (char >= 0x30 && char <= 0x39) || (char | 0x20) === 0x65;
}

/** The value of the text, else `other`. */
function parsed<T>(text: string, other: T): Json | T {
  try {
    return parseJson(text);
  } catch {
    return other;
  }
}

function isTooDeep(text: string): boolean {
  // So many levels take two characters each.
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
