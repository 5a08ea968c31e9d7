/** From an answer's bytes to its text and JSON. */
import { decodeText } from '../content/charset.ts';
import { isJsonType } from '../content/media-type.ts';
import { isRawNumber, parseJson } from '../core/value/json.ts';
import type { Json } from '../core/value/json.ts';

/** JSON nested deeper stays text: what cannot be stored or walked later must not enter as a value. */
const maxJsonDepth = 64;

/** An answer's body, read. */
export interface ReadBody {
  readonly text: string;
  /** See `CallResponse.bodyJson`. */
  readonly json: Json;
  /** Why it cannot be read, as a sentence; it is empty then. */
  readonly problem?: string;
}

const emptyBody: ReadBody = { text: '', json: null };

/** Reads a body without content codings by its content type. JSON that does not parse stays text. */
export function readBody(bytes: Buffer, contentType: string | undefined): ReadBody {
  if (bytes.length === 0) return emptyBody;
  const text = decodeText(bytes, contentType);
  if (typeof text !== 'string') return unreadable(text.problem);
  const isJson = contentType !== undefined && isJsonType(contentType);
  return { text, json: isJson ? jsonOrText(text) : text };
}

/** A body that cannot be read; `problem` follows "The answer". */
export function unreadable(problem: string): ReadBody {
  return { ...emptyBody, problem: `The answer ${problem}.` };
}

function jsonOrText(text: string): Json {
  try {
    const value = parseJson(text);
    // 65 levels take at least 130 characters.
    return text.length < 2 * maxJsonDepth || fitsDepth(value, maxJsonDepth) ? value : text;
  } catch {
    // Not JSON after all (or too deep to parse): the text is what there is.
    return text;
  }
}

function fitsDepth(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => fitsDepth(item as Json, levels - 1));
  for (const item of Object.values(value)) if (!fitsDepth(item, levels - 1)) return false;
  return true;
}
