/** From an answer's bytes to its text and JSON. */
import { TextDecoder } from 'node:util';
import { isRawNumber, parseJson } from '../core/json.ts';
import type { Json } from '../core/json.ts';

/** JSON nested deeper stays text: what cannot be stored or walked later must not enter as a value. */
const maxJsonDepth = 64;

/** An answer's body, read. */
export interface ReadBody {
  readonly text: string;
  /** See `CallResponse.bodyJson`. */
  readonly json: Json;
}

const emptyBody: ReadBody = { text: '', json: null };

/**
 * Reads a decoded body by its content type. Never fails: bytes that are not valid in the charset become replacement
 * characters, JSON that does not parse stays text.
 */
export function readBody(bytes: Buffer, contentType: string | undefined): ReadBody {
  if (bytes.length === 0) return emptyBody;
  const isJson = contentType !== undefined && isJsonType(contentType);
  const text = decodeText(bytes, isJson ? undefined : contentType);
  return { text, json: isJson ? jsonOrText(text) : text };
}

/** Whether a content type is `application/json` or ends in `+json`; parameters do not matter. */
function isJsonType(contentType: string): boolean {
  if (contentType === 'application/json') return true;
  const semicolon = contentType.indexOf(';');
  const essence = (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return essence === 'application/json' || (essence.endsWith('+json') && essence.includes('/'));
}

function decodeText(bytes: Buffer, contentType: string | undefined): string {
  const charset = contentType === undefined ? undefined : /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    const decoder = decoderFor(charset);
    if (decoder !== undefined) return decoder.decode(bytes);
  }
  const hasMark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', hasMark ? 3 : 0);
}

function decoderFor(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    // A charset that the platform does not know: UTF-8 is the best guess left.
    return undefined;
  }
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
