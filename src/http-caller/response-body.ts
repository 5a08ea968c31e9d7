/** Decodes the bytes of an answer to text and JSON. */
import { decodeText } from '../content/charset.ts';
import { isJsonType } from '../content/media-type.ts';
import { isRawNumber, parseJson } from '../core/value/json.ts';
import type { Json } from '../core/value/json.ts';

/** JSON nested deeper stays text: a value that cannot be stored or walked later must not enter. */
const maxJsonDepth = 64;

/** The decoded body of an answer. */
export interface ReadBody {
  readonly text: string;
  /** See `CallResponse.bodyJson`. */
  readonly json: Json;
  /** Why the body cannot be read, as a sentence; the body is empty then. */
  readonly problem?: string;
}

const emptyBody: ReadBody = { text: '', json: null };

/** Decodes a body without content codings by its content type. Unparsable JSON stays text. */
export function readBody(bytes: Buffer, contentType: string | undefined): ReadBody {
  if (bytes.length === 0) return emptyBody;
  const text = decodeText(bytes, contentType);
  if (typeof text !== 'string') return unreadable(text.problem);
  const isJson = contentType !== undefined && isJsonType(contentType);
  return { text, json: isJson ? jsonOrText(text) : text };
}

/** An unreadable body; `problem` continues "The answer". */
export function unreadable(problem: string): ReadBody {
  return { ...emptyBody, problem: `The answer ${problem}.` };
}

function jsonOrText(text: string): Json {
  try {
    const value = parseJson(text);
    // 65 levels take at least 130 characters.
    return text.length < 2 * maxJsonDepth || fitsDepth(value, maxJsonDepth) ? value : text;
  } catch {
    // The body is no JSON after all (or too deep to parse): the text stays.
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
