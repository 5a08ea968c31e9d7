import { at } from '../definition/problems.ts';
import { isRawNumber, parseJson, type Json, type JsonObject } from './json.ts';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** A key that occurs twice in one object. The message is a sentence that begins with the path of the key. */
export class DuplicateKey extends Error {
  override readonly name = 'DuplicateKey';
}

/**
 * Parses JSON text, keeps the digits of every number, and rejects duplicate keys, of which `JSON.parse` would silently
 * keep only the last. `members` is the result of {@link membersWritten} for the text, if the caller already has it.
 *
 * Comparing keys during parsing would slow down every request; counting is cheap. The colons outside of strings are the
 * members as written, and the keys of the parsed value are the members kept. Only if the numbers differ is the text
 * read again, to find the duplicate.
 *
 * @throws SyntaxError if the text is not JSON, DuplicateKey if an object contains a key twice.
 */
export function parseUniqueJson(text: string, members: number = membersWritten(text, Infinity)): Json {
  const value = parseJson(text);
  if (members !== keysKept(value)) throw duplicateIn(text);
  return value;
}

/** An error sentence for the first duplicate key in a JSON text; undefined if there is none or the text is not JSON. */
export function duplicateKeyIn(text: string): string | undefined {
  try {
    parseUniqueJson(text);
    return undefined;
  } catch (error) {
    return error instanceof DuplicateKey ? error.message : undefined;
  }
}

/**
 * The number of members of all objects in a JSON text, as written; -1 if the text nests deeper than `maxDepth` levels.
 * The result for invalid JSON is unspecified.
 */
export function membersWritten(text: string, maxDepth: number): number {
  let depth = 0;
  let members = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) {
      i = endOfString(text, i);
    } else if (code === colon) {
      members++;
    } else if (code === openBrace || code === openBracket) {
      if (++depth > maxDepth) return -1;
    } else if (code === closeBrace || code === closeBracket) depth--;
  }
  return members;
}

/** The position of the quote that ends the string beginning at `start`; the length of the text if there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

/** The number of keys of all objects in a value. */
function keysKept(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  const pending: object[] = [value];
  let keys = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) {
      for (const item of next as readonly Json[]) if (typeof item === 'object' && item !== null) pending.push(item);
    } else if (!isRawNumber(next)) {
      // Parsed objects have only own properties and inherit no enumerable ones.
      for (const key in next) {
        keys++;
        const item = (next as JsonObject)[key];
        if (typeof item === 'object' && item !== null) pending.push(item);
      }
    }
  }
  return keys;
}

/** An object or array that is open while the text is read again. */
interface Container {
  readonly path: string;
  /** The keys seen so far; absent for an array. */
  readonly keys?: Set<string>;
  /** The key or index of the next value. */
  next: string | number;
}

/** The error for the first duplicate key in a valid JSON text. */
function duplicateIn(text: string): DuplicateKey {
  const open: Container[] = [];
  const inner = (): string => {
    const around = open.at(-1);
    return around === undefined ? '' : at(around.path, around.next);
  };
  let string = '';
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const around = open.at(-1);
    switch (text.charCodeAt(i)) {
      case quote:
        start = i;
        i = endOfString(text, i);
        string = text.slice(start, i + 1);
        break;
      case colon: {
        if (around?.keys === undefined) break;
        const key = JSON.parse(string) as string;
        around.next = key;
        if (around.keys.has(key)) return duplicate(text, inner(), start);
        around.keys.add(key);
        break;
      }
      case comma:
        if (around !== undefined && typeof around.next === 'number') around.next++;
        break;
      case openBrace:
        open.push({ path: inner(), keys: new Set(), next: '' });
        break;
      case openBracket:
        open.push({ path: inner(), next: 0 });
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        break;
      default:
    }
  }
  throw new Error('An object has fewer keys than were written, and none of them stands twice.');
}

function duplicate(text: string, path: string, position: number): DuplicateKey {
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  const place = `line ${String(line)}, column ${String(column)}`;
  return new DuplicateKey(`${path}: This key stands twice in its object, the second time at ${place}.`);
}
