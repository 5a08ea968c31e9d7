import { duplicateKeyIn } from '../core/value/unique-json.ts';

/** Result of a kind for a value that it cannot read. */
export const unreadable: unique symbol = Symbol('unreadable');

/**
 * How values of one type are read from a file (parsed YAML) or from text (environment, flags), and how messages
 * describe them.
 */
export interface Kind<T> {
  /** Short name of the type, for the reference page. */
  readonly type: string;
  /** What a value must be; completes the sentence "server.port must be …". */
  readonly expected: string;
  /** Reads a value from a file or text; {@link unreadable} if it is invalid. Never throws. */
  read(raw: unknown): T | typeof unreadable;
}

function kind<T>(type: string, expected: string, read: (raw: unknown) => T | typeof unreadable): Kind<T> {
  return { type, expected, read };
}

/** A whole number within inclusive bounds. Also reads digits as text, with or without underscores (`10_000`). */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return kind('integer', `a whole number ${bounds}`, (raw) => {
    const isDigits = typeof raw === 'string' && /^[+-]?\d[\d_]*$/.test(raw.trim());
    const value = isDigits ? Number(raw.trim().replaceAll('_', '')) : raw;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : unreadable;
  });
}

/** A number from 0 to 1, inclusive. */
export const share: Kind<number> = kind('number', 'a number from 0 to 1', (raw) => {
  const isDigits = typeof raw === 'string' && /^\+?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?$/i.test(raw.trim());
  const value = isDigits ? Number(raw) : raw;
  return typeof value === 'number' && value >= 0 && value <= 1 ? value : unreadable;
});

/** `true` or `false`. */
export const flag: Kind<boolean> = kind('boolean', 'true or false', (raw) => {
  const value = typeof raw === 'string' ? raw.trim().toLowerCase() : raw;
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : unreadable;
});

/**
 * Text that is not empty and matches `pattern`, if given. Refuses numbers, because YAML may have changed their digits.
 */
export function text(expected: string = 'a text that is not empty', pattern: RegExp = /\S/): Kind<string> {
  return kind('string', expected, (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : unreadable));
}

/** One of a few words, in any case; returns the spelling of the list. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  const listed = words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words.join('');
  return kind(words.join(' \\| '), listed, (raw) => {
    const asked = typeof raw === 'string' ? raw.trim().toLowerCase() : undefined;
    return words.find((word) => word.toLowerCase() === asked) ?? unreadable;
  });
}

/** An http or https URL without query and fragment; drops a trailing slash. */
export const baseUrl: Kind<string> = kind('URL', 'an http or https URL without query and fragment', (raw) => {
  if (typeof raw !== 'string') return unreadable;
  const url = URL.parse(raw.trim());
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') return unreadable;
  if (url.username !== '' || url.password !== '') return unreadable;
  return raw.trim().replace(/\/+$/, '');
});

/** A list of texts that all pass `isItem`; as text, comma-separated. Trims items. */
export function list(expected: string, isItem: (item: string) => boolean): Kind<readonly string[]> {
  return kind('list', expected, (raw) => {
    const items = typeof raw === 'string' ? raw.split(',').filter((item) => item.trim() !== '') : raw;
    if (!Array.isArray(items)) return unreadable;
    const texts = items.map((item: unknown) => (typeof item === 'string' ? item.trim() : ''));
    return texts.every((item) => item !== '' && isItem(item)) ? Object.freeze(texts) : unreadable;
  });
}

/** Parses a map or list given as JSON text; returns anything else unchanged. */
export function parsedText(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  try {
    // With duplicate keys, the last one would win silently.
    return duplicateKeyIn(raw) === undefined ? (JSON.parse(raw) as unknown) : unreadable;
  } catch {
    return unreadable;
  }
}

/** Whether a value is an object other than an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A map with values of one kind; as text, a JSON object. Names must match `name`. */
export function map<T>(expected: string, name: RegExp, item: Kind<T>): Kind<Readonly<Record<string, T>>> {
  return kind('map', expected, (raw) => {
    const value = parsedText(raw);
    if (!isRecord(value)) return unreadable;
    const entries = Object.entries(value).map(([key, entry]) => [key, item.read(entry)] as const);
    const isGood = entries.every(([key, entry]) => name.test(key) && entry !== unreadable);
    return isGood ? Object.freeze(Object.fromEntries(entries as [string, T][])) : unreadable;
  });
}

/** The same kind with undefined as an allowed default. No input reads as undefined. */
export function optional<T>(inner: Kind<T>): Kind<T | undefined> {
  return inner;
}
