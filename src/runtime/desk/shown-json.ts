/** Bodies of the history as JSON values, from the masked texts in which they are kept. */
import { type Json, parseJson } from '../../core/json.ts';

/** Nested deeper it stays text, as in answers: whatever walks the document must come to its end. */
const maxDepth = 64;

/** `application/json` and every type that ends in `+json`; parameters do not matter. */
const jsonType = /^\s*(?:application\/json|[^\s/;]+\/[^\s;]+\+json)\s*(?:;|$)/i;

/** Strings, which stay, and what masking has made of numbers. */
const stringOrMasked = /"(?:[^"\\]|\\.)*"|[-+.\w*]*\*\*\*[-+.\w*]*/g;

/** A body whose headers say that it is JSON as its value; the text itself where they do not, or where it is none. */
export function valueOfBody(text: string, headers: Readonly<Record<string, string>> | undefined): Json {
  for (const name in headers) {
    if (name.toLowerCase() === 'content-type') return jsonType.test(headers[name] ?? '') ? valueOfJson(text) : text;
  }
  return text;
}

/** The value of JSON text; the text itself where it is none. A number that is masked is the text `***`. */
export function valueOfJson(text: string): Json {
  if (isTooDeep(text)) return text;
  const value = parsed(text, undefined);
  if (value !== undefined) return value;
  if (!text.includes('***')) return text;
  return parsed(
    text.replace(stringOrMasked, (part) => (part.startsWith('"') ? part : '"***"')),
    text,
  );
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
      if (char === 0x5c) i++;
      else if (char === 0x22) isInString = false;
    } else if (char === 0x22) isInString = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > maxDepth) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}
