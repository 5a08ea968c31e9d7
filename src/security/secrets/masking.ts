import { isRawNumber, numberText } from '../../core/value/json.ts';
import type { Json, JsonArray, JsonObject, RawNumber } from '../../core/value/json.ts';
import { callbackTokenPattern, callbackTokenPrefix } from '../callback-token.ts';
import { SecretSearch } from './secret-search.ts';
import { innerBase64 } from './spellings.ts';

/** Replaces a masked value. */
const mask = '***';

/** The source of values to mask. Returns the same array until a value changes. */
export interface SecretValues {
  values(): readonly string[];
}

const credentialHeaders = ['authorization', 'cookie', 'proxy-authorization', 'set-cookie', 'x-callback-token'];
const credentialName = new RegExp(`^(?:${credentialHeaders.join('|')})$`, 'i');
/** Few other headers have names of these lengths, which are compared first, because every call masks a dozen headers. */
const credentialLengths: ReadonlySet<number> = new Set(credentialHeaders.map(({ length }) => length));

function isCredential(name: string): boolean {
  return credentialLengths.has(name.length) && credentialName.test(name);
}

/**
 * Keeps secrets out of everything that leaves the process: history rows, API answers, events, logs, errors. Uses the
 * secrets at the time of each call. All methods return their argument if nothing matches.
 *
 * Masks as `***`:
 * - every secret value of at least four characters, raw or as URL, form, JSON and XML encoders write it, also when
 *   several encoders apply in turn, as in one document inside another;
 * - the same values in base64, also inside a longer encoded text as in basic auth, and after up to two levels of JSON
 *   quoting;
 * - the same values in lower case if they can be part of a host;
 * - callback tokens by their pattern, raw or in base64;
 * - the whole values of credential headers.
 *
 * Mask a text before truncating it: half a secret is not recognised.
 */
export class Masker {
  readonly #source: SecretValues;
  #built: readonly string[] = [];
  #search = new SecretSearch([]);
  #numbersMatter = false;

  constructor(source: SecretValues) {
    this.#source = source;
  }

  /** Masks secrets and tokens in a text. */
  text(text: string): string {
    this.#refresh();
    return this.#text(text);
  }

  /** Masks credential headers as a whole, and secrets and tokens in all others. */
  headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#refresh();
    let copy: Record<string, string> | undefined;
    for (const name in headers) {
      const before = headers[name] ?? '';
      const after = isCredential(name) ? mask : this.#text(before);
      if (after !== before) (copy ??= { ...headers })[name] = after;
    }
    return copy ?? headers;
  }

  /** Masks secrets and tokens in the strings, keys and numbers of a JSON value, at any depth. */
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
    // Searches for any beginning first, since most texts contain no token.
    const masked = tokenBeginning.test(text)
      ? text.replace(callbackTokenPattern, mask).replace(encodedTokenPattern, mask)
      : text;
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

/** Masks the given values, as any encoder writes them, and nothing else. */
export class ValueMask {
  /** Masks the values in a text. */
  readonly mask: (text: string) => string;
  readonly search: SecretSearch;

  /** Reuses what `before` has computed for values that both have. */
  constructor(values: Iterable<string>, before?: ValueMask) {
    const search = new SecretSearch(values, before?.search);
    this.search = search;
    this.mask = (text) => search.without(text, mask);
  }
}

/**
 * An object with masked keys. Masked keys may collide, so a number keeps them apart. Numbers are counted per key, so
 * that many colliding keys cost no more than others. `__proto__` is an ordinary key.
 */
class MaskedObject {
  readonly #properties = new Map<string, Json>();
  /** The last number given to each key that was taken. */
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

/** The first characters of a base64-encoded callback token, at each of the three byte offsets. */
const encodedBeginnings: readonly string[] = [0, 1, 2].map((offset) => innerBase64(callbackTokenPrefix, offset));

/** Whether a closer look is needed. The dot of the prefix matches any character here. */
const tokenBeginning = new RegExp([callbackTokenPrefix, ...encodedBeginnings].join('|'));

/** Masks the text after the token, too, since the end of the token is not visible. */
const encodedTokenPattern = new RegExp(`(?:${encodedBeginnings.join('|')})[\\w+/-]*={0,2}`, 'g');
