/**
 * Keeps secrets out of everything that leaves: history rows, API answers, events, logs, errors.
 *
 * Masked as `***`: every secret value of at least four characters, raw or as URL, form, JSON and XML encoders
 * write it, several of them and several times over, as where one document holds another; in base64, also inside a longer
 * encoded text, as in basic auth, and after it was quoted in JSON up to twice; in lower case where it may be a part of a
 * host; callback tokens, by their pattern, raw or in base64; and the values of headers that carry credentials, whatever they are. Mask before
 * cutting a text: half a secret is not recognised.
 */
import { isRawNumber, numberText } from '../../core/value/json.ts';
import type { Json, JsonArray, JsonObject, RawNumber } from '../../core/value/json.ts';
import { callbackTokenPattern, callbackTokenPrefix } from '../callback-token.ts';
import { SecretSearch } from './secret-search.ts';
import { innerBase64 } from './spellings.ts';

/** Replaces a masked value. */
const mask = '***';

/** The source of values to mask; the same array until one changes. */
export interface SecretValues {
  values(): readonly string[];
}

const credentialHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
  'x-callback-token',
]);

/** Masks with the secrets as they are at the time of each call. All methods return their argument when nothing matches. */
export class Masker {
  readonly #source: SecretValues;
  #built: readonly string[] = [];
  #search = new SecretSearch([]);
  #numbersMatter = false;

  constructor(source: SecretValues) {
    this.#source = source;
  }

  /** A text with secrets and tokens masked. */
  text(text: string): string {
    this.#refresh();
    return this.#text(text);
  }

  /** Headers with credential headers masked whole, and secrets and tokens in all others. */
  headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#refresh();
    let copy: Record<string, string> | undefined;
    for (const name in headers) {
      const before = headers[name] ?? '';
      const after = credentialHeaders.has(name.toLowerCase()) ? mask : this.#text(before);
      if (after !== before) (copy ??= { ...headers })[name] = after;
    }
    return copy ?? headers;
  }

  /** A JSON value with secrets and tokens masked in strings, keys and numbers, however deep. */
  json(value: Json): Json {
    this.#refresh();
    return this.#json(value);
  }

  #refresh(): void {
    const values = this.#source.values();
    if (values === this.#built) return;
    this.#built = values;
    this.#search = new SecretSearch(values, this.#search);
    this.#numbersMatter = values.some((value) => /^-?\d/.test(value));
  }

  #text(text: string): string {
    let masked = text;
    // Searching for the prefix first: most texts have no token.
    if (masked.includes(callbackTokenPrefix)) masked = masked.replace(callbackTokenPattern, mask);
    for (const beginning of encodedBeginnings) {
      if (masked.includes(beginning)) masked = masked.replace(encodedTokenPattern, mask);
    }
    return this.#search.without(masked, mask);
  }

  #json(value: Json): Json {
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number' || isRawNumber(value)) return this.#number(value);
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? this.#array(value as JsonArray) : this.#object(value as JsonObject);
  }

  #array(array: JsonArray): JsonArray {
    let copy: Json[] | undefined;
    for (let i = 0; i < array.length; i++) {
      const before = array[i] as Json;
      const after = this.#json(before);
      if (after !== before) (copy ??= array.slice())[i] = after;
    }
    return copy ?? array;
  }

  #number(value: number | RawNumber): Json {
    // Masks only a whole number, since matching digits inside others are coincidence.
    return this.#numbersMatter && this.#text(numberText(value)) === mask ? mask : value;
  }

  #object(object: JsonObject): JsonObject {
    const keys = Object.keys(object);
    let copy: MaskedObject | undefined;
    for (const [i, key] of keys.entries()) {
      const before = object[key] as Json;
      const after = this.#json(before);
      const maskedKey = this.#text(key);
      if (copy === undefined) {
        if (after === before && maskedKey === key) continue;
        copy = new MaskedObject();
        for (const earlier of keys.slice(0, i)) copy.add(earlier, object[earlier] as Json);
      }
      copy.add(maskedKey, after);
    }
    return copy?.whole ?? object;
  }
}

/** Masks some values, however an encoder writes them, and nothing else. */
export class ValueMask {
  /** A text without the values. */
  readonly mask: (text: string) => string;
  readonly search: SecretSearch;

  /** What `before` knows of the values is taken from there. */
  constructor(values: Iterable<string>, before?: ValueMask) {
    const search = new SecretSearch(values, before?.search);
    this.search = search;
    this.mask = (text) => search.without(text, mask);
  }
}

/**
 * An object with masked keys. Masked keys may collide, so each gets a number to keep every value; numbers are counted per key, so
 * that many colliding keys cost no more than others. `__proto__` is a key like any other.
 */
class MaskedObject {
  readonly #properties = new Map<string, Json>();
  /** The number that each key which was taken had last. */
  readonly #numbers = new Map<string, number>();

  add(key: string, value: Json): void {
    let unused = key;
    if (this.#properties.has(key)) {
      let number = this.#numbers.get(key) ?? 1;
      do unused = `${key}#${String(++number)}`;
      while (this.#properties.has(unused));
      this.#numbers.set(key, number);
    }
    this.#properties.set(unused, value);
  }

  get whole(): JsonObject {
    return Object.fromEntries(this.#properties);
  }
}

/** How base64 of a callback token begins, alone or at one of the other two offsets in a longer text. */
const encodedBeginnings: readonly string[] = [0, 1, 2].map((offset) => innerBase64(callbackTokenPrefix, offset));

/** Masks the text after the token, too, since the end of the token is not visible. */
const encodedTokenPattern = new RegExp(`(?:${encodedBeginnings.join('|')})[\\w+/-]*={0,2}`, 'g');
