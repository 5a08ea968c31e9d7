/**
 * A number represented by its source digits. Opaque: create with {@link rawNumber}, read through {@link numberText}.
 */
export interface RawNumber {
  readonly rawJSON: string;
}

/** A JSON array. */
export type JsonArray = readonly Json[];

/** A JSON object. Own properties only; a key `__proto__` is an ordinary own property. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Any JSON value. Numbers keep their source digits.
 *
 * A double cannot represent every number that a payment system sends (9007199254740993, 10.10). If the shortest
 * representation of the double differs from the source digits, {@link parseJson} keeps the digits in a {@link
 * RawNumber} (ECMAScript "JSON.parse source text access"), which {@link stringifyJson} writes back unchanged. All other
 * numbers are plain JavaScript numbers.
 */
export type Json = null | boolean | number | string | RawNumber | JsonArray | JsonObject;

interface RawJsonApi {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}

// The es2024 library has no types for source text access.
const raw = JSON as unknown as RawJsonApi;

/**
 * Matches texts that may contain a number which a double would not write back identically: sixteen or more digits, a
 * fraction that ends in zero or begins with many zeros, an exponent, or a negative zero. May match too often, never too
 * rarely. Looks only where a JSON number may begin, so that dates and ids in strings rarely match: keeping digits takes
 * five times as long as plain parsing.
 */
const mayLoseDigits =
  /(?:^|[ \t\r\n,:[])(?:-?(?:[\d.]{16}|\d+(?:\.(?:0{6}|\d*0(?=[ \t\r\n,\]}]|$))|(?:\.\d+)?[eE]))|-0(?![.\d]))/;

/**
 * Parses JSON text and keeps the digits of every number.
 *
 * @throws SyntaxError if the text is not JSON.
 */
export function parseJson(text: string): Json {
  if (!mayLoseDigits.test(text)) return JSON.parse(text) as Json;
  return raw.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source
      ? raw.rawJSON(context.source)
      : value,
  ) as Json;
}

/** Writes a value as compact JSON; raw numbers are written digit by digit as received. */
export function stringifyJson(value: Json): string {
  return JSON.stringify(value);
}

/** Whether a value is a raw number. */
export function isRawNumber(value: unknown): value is RawNumber {
  return typeof value === 'object' && value !== null && raw.isRawJSON(value);
}

/** Whether a value is a JSON object (not an array, raw number or null). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !raw.isRawJSON(value);
}

/** Creates a raw number. `digits` must be a valid JSON number. */
export function rawNumber(digits: string): RawNumber {
  return raw.rawJSON(digits);
}

/** The digits of a number, as received. */
export function numberText(value: number | RawNumber): string {
  return typeof value === 'number' ? String(value) : value.rawJSON;
}

/** An own property of an object, or undefined. Never returns an inherited property. */
export function ownProperty(value: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Size of a value in addition to its texts, in characters: an estimate of the order of magnitude. */
const charsPerValue = 8;

/** Approximate size of a value in characters; stops counting shortly after `limit`. */
export function roughSize(value: Json, limit: number): number {
  const pending: Json[] = [value];
  let size = 0;
  for (let next = pending.pop(); next !== undefined && size <= limit; next = pending.pop()) {
    size += charsPerValue;
    if (typeof next === 'string') size += next.length;
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next)) for (let i = 0; i < next.length && i <= limit; i++) pending.push(next[i] as Json);
    else {
      for (const [key, item] of Object.entries(next as JsonObject)) {
        size += key.length;
        pending.push(item);
      }
    }
  }
  return size;
}

/** Approximate memory of values in V8, in bytes; rather too high than too low. */
const slotBytes = 8;
const textBytes = 24;
const listBytes = 48;
const objectBytes = 56;
const fieldBytes = 24;

/** Approximate memory of a value, in bytes. Strings count two bytes per character. */
export function memorySize(value: Json): number {
  const pending: (JsonObject | JsonArray | RawNumber)[] = [];
  let size = 0;
  const add = (item: Json): void => {
    size += slotBytes;
    if (typeof item === 'string') size += textBytes + 2 * item.length;
    else if (typeof item === 'object' && item !== null) pending.push(item);
  };
  add(value);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) {
      size += listBytes;
      for (const item of next as readonly Json[]) add(item);
    } else {
      size += objectBytes;
      for (const item of Object.values(next as JsonObject)) {
        size += fieldBytes;
        add(item);
      }
    }
  }
  return size;
}

/** Whether two values are equal as JSON: regardless of key order, and with numbers compared by their digits. */
export function jsonEqual(a: Json, b: Json): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/**
 * JSON text with all keys in code-unit order, so that equal values give equal texts. Numbers are compared by their
 * digits.
 */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null || raw.isRawJSON(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item as Json)).join(',')}]`;
  const object = value as JsonObject;
  const parts = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] as Json)}`);
  return `{${parts.join(',')}}`;
}
