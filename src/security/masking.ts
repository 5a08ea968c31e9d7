/**
 * Keeps secrets out of everything that leaves: history rows, API answers, events, logs, errors.
 *
 * Masked as `***`: every secret value of at least `minMaskedLength` characters, raw or as URL, form, JSON and XML encoders
 * write it, several of them and several times over, as where one document holds another; in base64, also inside a longer
 * encoded text, as in basic auth, and after it was quoted in JSON up to twice; in lower case where it may be a part of a
 * host; callback tokens, by their pattern, raw or in base64; and the values of headers that carry credentials, whatever they are. Mask before
 * cutting a text: half a secret is not recognised.
 */
import { isRawNumber, numberText } from '../core/json.ts';
import type { Json, JsonArray, JsonObject, RawNumber } from '../core/json.ts';
import { callbackTokenPattern, callbackTokenPrefix } from './callback-token.ts';

/** What stands in a masked value's place. */
const mask = '***';

/** Shorter secrets are not masked by value: they would be found everywhere. */
const minMaskedLength = 4;

/** Where the values to mask come from; the same array until one changes. */
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
  #patterns: readonly RegExp[] = [];
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
    this.#patterns = patternsOf(values);
    this.#numbersMatter = values.some((value) => /^-?\d/.test(value));
  }

  #text(text: string): string {
    let masked = text;
    // Searching for the prefix first: most texts have no token.
    if (masked.includes(callbackTokenPrefix)) masked = masked.replace(callbackTokenPattern, mask);
    for (const beginning of encodedBeginnings) {
      if (masked.includes(beginning)) masked = masked.replace(encodedTokenPattern, mask);
    }
    // A replace that finds nothing returns the same text.
    for (const pattern of this.#patterns) masked = masked.replace(pattern, mask);
    return masked;
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
    // Only a number that is a secret as a whole: digits inside others are coincidence.
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
    return copy === undefined ? object : copy.properties;
  }
}

/** Masks these values, however an encoder writes them, and nothing else. */
export function valueMask(...values: readonly string[]): (text: string) => string {
  const patterns = patternsOf(values);
  return (text) => patterns.reduce((masked, pattern) => masked.replace(pattern, mask), text);
}

/**
 * An object whose keys were masked. Masked keys may have become alike, and neither value may get lost, so each gets a number; the
 * numbers of a key are counted on, so that as many alike keys as a document holds cost no more than others. `__proto__` is a key like
 * any other.
 */
class MaskedObject {
  readonly properties: Record<string, Json> = {};
  /** The number that each key which was taken had last. */
  readonly #numbers = new Map<string, number>();

  add(key: string, value: Json): void {
    let unused = key;
    if (Object.hasOwn(this.properties, key)) {
      let number = this.#numbers.get(key) ?? 1;
      do unused = `${key}#${String(++number)}`;
      while (Object.hasOwn(this.properties, unused));
      this.#numbers.set(key, number);
    }
    Object.defineProperty(this.properties, unused, { value, enumerable: true, configurable: true, writable: true });
  }
}

/** Secrets are grouped into patterns of about this length: few passes over a text, and none that V8 refuses. */
const patternLength = 16_384;

function patternsOf(values: readonly string[]): RegExp[] {
  // Longest first: a secret that begins another must not leave the other's end standing.
  const sources = [...new Set(values.filter((value) => value.length >= minMaskedLength))]
    .sort((x, y) => y.length - x.length)
    .flatMap((value) => [...quotings(value).flatMap(base64Sources), spellings(value), ...hostSources(value)]);
  const groups: string[] = [];
  for (const source of sources) {
    const last = groups.at(-1);
    if (last === undefined || last.length + source.length > patternLength) groups.push(source);
    else groups[groups.length - 1] = `${last}|${source}`;
  }
  return groups.map((group) => new RegExp(group, 'g'));
}

/** Of a value that JSON changes: as it stands in a document, and in one that another holds as a text. Longer ones stay alone. */
function quotings(value: string): readonly string[] {
  const quoted = quote(value);
  return quoted === value || value.length > maxQuotedLength ? [value] : [value, quoted, quote(quoted)];
}

const maxQuotedLength = 1024;

function quote(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** A value as whoever reads a URL writes it where it is a part of the host, if that is something else. */
function hostSources(value: string): readonly string[] {
  const lower = value.toLowerCase();
  return lower !== value && /^[\w.-]+$/.test(value) ? [escapePattern(lower)] : [];
}

/**
 * A pattern for the value with every character as any of the usual encoders may write it, one upon the other. JSON puts
 * backslashes before a character, one more of each at every level: any number is taken along. Between two of them there is
 * always something else, and where the value begins only the first of a row is tried, so that a text full of them costs no more
 * than another.
 */
function spellings(value: string): string {
  // A value that itself holds what a percent-encoded backslash looks like could be read in too many ways.
  const unit = /%5c/i.test(value) ? '\\\\' : backslash;
  let pattern = '';
  for (const [, backslashes = '', character = ''] of value.matchAll(/(\\*)([^\\]|$)/gsu)) {
    const { length } = backslashes;
    if (length === 0 && /^[A-Za-z0-9]?$/.test(character)) pattern += character;
    else pattern += `${backslashPattern(unit, length, pattern === '')}${spellingsOf(character)}`;
  }
  return pattern;
}

/** A backslash as it is, or percent-encoded. */
const backslash = '(?:\\\\|%(?:25)*5[Cc])';

/** As many as eight levels of JSON put before a character. */
const maxBackslashes = 255;

/** At least so many backslashes, and what levels of JSON make of them; just as many too where a row of them does not begin. */
function backslashPattern(unit: string, least: number, isFirst: boolean): string {
  const many = `${unit}{${String(least)},${String((least + 1) * maxBackslashes)}}`;
  const all = isFirst ? `(?<!\\\\|5[Cc])${many}` : many;
  if (least === 0) return isFirst ? `(?:${all})?` : all;
  return `(?:${all}|(?:${backslash}|&(?:amp;)*#(?:92|[xX]0*5[Cc]);){${String(least)}})`;
}

/** What else an encoder may write; what JSON puts a backslash before stands here without it. */
const named: Readonly<Record<string, readonly string[]>> = {
  ' ': ['\\+'],
  '"': ['&(?:amp;)*quot;'],
  '/': ['&(?:amp;)*#x2[Ff];'],
  '&': ['&(?:amp;)+'],
  '<': ['&(?:amp;)*lt;'],
  '>': ['&(?:amp;)*gt;'],
  "'": ['&(?:amp;)*apos;', '&(?:amp;)*#0?39;'],
  '=': ['&(?:amp;)*#x3[Dd];'],
  '`': ['&(?:amp;)*#x60;'],
  '\n': ['n', '\\r\\n', `r${backslash}+n`, '%(?:25)*0[Dd]%(?:25)*0[Aa]'],
  '\r': ['r'],
  '\t': ['t'],
  '\f': ['f'],
  '\b': ['b'],
};

/** Behind backslashes, if there are any. */
function spellingsOf(character: string): string {
  if (character === '') return '';
  const forms = new Set<string>(named[character] ?? []);
  let percent = '';
  for (const byte of Buffer.from(character, 'utf8')) percent += `%(?:25)*${hexPattern(byte, 2)}`;
  forms.add(percent);
  let unicode = '';
  for (let i = 0; i < character.length; i++) {
    unicode += `${i === 0 ? '' : `${backslash}+`}u${hexPattern(character.charCodeAt(i), 4)}`;
  }
  forms.add(unicode);
  const code = character.codePointAt(0) ?? 0;
  forms.add(`&(?:amp;)*#(?:${code}|[xX]0*${hexPattern(code, 0)});`);
  // Last, so that a form which begins with the raw character wins where it stands.
  forms.add(escapePattern(character));
  return `(?:${[...forms].join('|')})`;
}

function hexPattern(value: number, digits: number): string {
  return value
    .toString(16)
    .padStart(digits, '0')
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Base64 of fewer characters than this is no longer telling inside a longer text. */
const minInnerBase64 = 6;

/**
 * Patterns for the value in base64, in both alphabets. Alone it is found whole. Inside a longer encoded text it starts
 * at one of three bit offsets; there its characters that do not depend on neighbours are found, and those few that do
 * are taken along on the right.
 */
function base64Sources(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const sources: string[] = [];
  for (const offset of [0, 1, 2]) {
    const inner = innerBase64(value, offset);
    if (inner.length < minInnerBase64) continue;
    sources.push(`${eitherAlphabet(inner)}[\\w+/-]{0,2}={0,2}`);
  }
  if (bytes.length < minInnerBase64) sources.push(`${eitherAlphabet(bytes.toString('base64url'))}={0,2}`);
  return sources;
}

/** The characters of base64url, at an offset in bytes within a longer text, that do not depend on neighbours. */
function innerBase64(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value, 'utf8')]);
  return bytes.toString('base64url').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** `=` and the two characters that differ may be percent-encoded too. */
function eitherAlphabet(base64url: string): string {
  return base64url.replace(/[-_]/g, (character) => (character === '-' ? '(?:[-+]|%2[Bb])' : '(?:[_/]|%2[Ff]|\\\\/)'));
}

/** How base64 of a callback token begins, alone or at one of the other two offsets in a longer text. */
const encodedBeginnings: readonly string[] = [0, 1, 2].map((offset) => innerBase64(callbackTokenPrefix, offset));

/** What follows it is taken along: where the token ends cannot be seen. */
const encodedTokenPattern = new RegExp(`(?:${encodedBeginnings.join('|')})[\\w+/-]*={0,2}`, 'g');
