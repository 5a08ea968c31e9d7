/**
 * Patterns of dates in letters of CLDR (Unicode Technical Standard 35, part 4, "Date Field Symbol Table"), in English, for
 * formatting and for reading.
 */
import { instantOfLocal, type ZonedTime } from '../value/calendar.ts';
import { daysOfMonth, parseInstant } from '../value/instant.ts';

/** Longest pattern, in characters. */
const maxPattern = 200;

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

/** Letters of an abbreviated name. */
const shortName = 3;

/** What a field of a pattern writes, and how it is read; without `read` a text cannot be read by it. */
interface Field {
  readonly write: (time: ZonedTime) => string;
  /** A regular expression of the field's text. */
  readonly form?: string;
  /** The part that the text gives. */
  readonly read?: (text: string, parts: Parts) => void;
}

/** What was read of a text. */
interface Parts {
  year?: number;
  month?: number;
  day?: number;
  hour?: number;
  /** 0 to 11, with `afternoon`. */
  hourOfHalf?: number;
  afternoon?: boolean;
  minute?: number;
  second?: number;
  millisecond?: number;
  offset?: string;
}

type NumberPart = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second';

function digits(length: number, part: NumberPart, longest = 2): Field {
  return {
    write: (time) => String(time[part]).padStart(length, '0'),
    form: length === 1 ? `\\d{1,${String(longest)}}` : `\\d{${String(length)}}`,
    read: (text, parts) => {
      parts[part] = Number(text);
    },
  };
}

/** Hours of a clock with twelve. */
const half = 12;

function hourOfHalf(length: number): Field {
  return {
    write: (time) => String(time.hour % half || half).padStart(length, '0'),
    form: length === 1 ? '\\d{1,2}' : '\\d{2}',
    read: (text, parts) => {
      const hour = Number(text);
      // An hour that this clock does not have is none of the day either.
      parts.hourOfHalf = hour < 1 || hour > half ? Infinity : hour % half;
    },
  };
}

function monthName(length: number): Field {
  const names = months.map((name) => name.slice(0, length));
  return {
    write: (time) => names[time.month - 1] as string,
    form: names.join('|'),
    read: (text, parts) => {
      parts.month = names.findIndex((name) => name.toLowerCase() === text.toLowerCase()) + 1;
    },
  };
}

function dayName(length: number): Field {
  const names = days.map((name) => name.slice(0, length));
  // A day's name is read and says nothing that the date does not.
  return { write: (time) => names[time.dayOfWeek - 1] as string, form: names.join('|') };
}

function fraction(length: number): Field {
  return {
    write: (time) => String(time.millisecond).padStart(shortName, '0').slice(0, length),
    form: `\\d{${String(length)}}`,
    read: (text, parts) => {
      parts.millisecond = Number(text.padEnd(shortName, '0'));
    },
  };
}

function offset(separator: '' | ':', isZ: boolean): Field {
  return {
    write: ({ offset: seconds }) => {
      if (isZ && seconds === 0) return 'Z';
      const minutes = Math.trunc(Math.abs(seconds) / 60);
      const parts = [Math.trunc(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'));
      return `${seconds < 0 ? '-' : '+'}${parts.join(separator)}`;
    },
    form: String.raw`Z|[-+]\d{2}:?\d{2}`,
    read: (text, parts) => {
      parts.offset = text;
    },
  };
}

const century = 100;

/** The fields, by their letters. */
const fields: Readonly<Record<string, Field>> = {
  y: digits(1, 'year', 4),
  yy: {
    write: (time) => String(time.year % century).padStart(2, '0'),
    form: '\\d{2}',
    read: (text, parts) => {
      parts.year = 2000 + Number(text);
    },
  },
  yyyy: digits(4, 'year'),
  M: digits(1, 'month'),
  MM: digits(2, 'month'),
  MMM: monthName(shortName),
  MMMM: monthName(Infinity),
  d: digits(1, 'day'),
  dd: digits(2, 'day'),
  H: digits(1, 'hour'),
  HH: digits(2, 'hour'),
  h: hourOfHalf(1),
  hh: hourOfHalf(2),
  a: {
    write: (time) => (time.hour < half ? 'AM' : 'PM'),
    form: 'AM|PM',
    read: (text, parts) => {
      parts.afternoon = text.toUpperCase() === 'PM';
    },
  },
  m: digits(1, 'minute'),
  mm: digits(2, 'minute'),
  s: digits(1, 'second'),
  ss: digits(2, 'second'),
  S: fraction(1),
  SS: fraction(2),
  SSS: fraction(3),
  E: dayName(shortName),
  EEE: dayName(shortName),
  EEEE: dayName(Infinity),
  XX: offset('', true),
  XXX: offset(':', true),
  xx: offset('', false),
  xxx: offset(':', false),
};

/** Letters that a pattern may have, each with its numbers of repetitions. */
export const datePatternFields: readonly string[] = Object.keys(fields);

type Piece = { readonly text: string } | { readonly field: Field; readonly letter: string };

/** The pieces of a pattern. Throws a sentence when it has an unknown field or an open quote. */
function pieces(pattern: string): readonly Piece[] {
  if (pattern.length > maxPattern) throw new Error(`A pattern of a date has at most ${String(maxPattern)} characters.`);
  const found: Piece[] = [];
  for (const [part] of pattern.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    if (part === "'") throw new Error(`The pattern "${pattern}" has a quote that does not end.`);
    if (part.startsWith("'")) found.push({ text: part === "''" ? "'" : part.slice(1, -1).replaceAll("''", "'") });
    else if (/^[A-Za-z]/.test(part)) {
      const field = Object.hasOwn(fields, part) ? fields[part] : undefined;
      if (field === undefined)
        throw new Error(`The pattern "${pattern}" has the field "${part}"; known are ${datePatternFields.join(', ')}.`);
      found.push({ field, letter: part.slice(0, 1) });
    } else found.push({ text: part });
  }
  return found;
}

/** What is wrong with a pattern as a sentence, or undefined. */
export function patternFault(pattern: string): string | undefined {
  try {
    pieces(pattern);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Writes a time by a pattern. Throws a sentence when the pattern is wrong. */
export function formatDate(time: ZonedTime, pattern: string): string {
  return pieces(pattern)
    .map((piece) => ('text' in piece ? piece.text : piece.field.write(time)))
    .join('');
}

/** Reads a text by a pattern. Throws a sentence when it does not fit. */
function readParts(text: string, pattern: string): Parts {
  const read: NonNullable<Field['read']>[] = [];
  const letters = new Set<string>();
  let form = '';
  for (const piece of pieces(pattern)) {
    // Fields of one or two digits side by side can share the digits in ever more ways.
    if ('field' in piece && letters.size === letters.add(piece.letter).size)
      throw new Error(`A text cannot be read by "${pattern}", which has the field "${piece.letter}" twice.`);
    if ('text' in piece) form += piece.text.replaceAll(/[$()*+.?[\\\]^{|}/-]/g, String.raw`\$&`);
    else {
      form += `(${piece.field.form ?? ''})`;
      read.push(piece.field.read ?? (() => undefined));
    }
  }
  const match = new RegExp(`^${form}$`, 'i').exec(text);
  if (match === null) throw new Error(`The text "${text.slice(0, maxPattern)}" does not have the form "${pattern}".`);
  const parts: Parts = {};
  for (const [i, take] of read.entries()) take(match[i + 1] as string, parts);
  return parts;
}

/**
 * Reads a text as milliseconds since 1970: by a pattern, or as ISO 8601 without one. A text without an offset is in `zone`: a
 * local time that occurs twice is the earlier one, one that is skipped moves later. Throws a sentence when it is no time.
 */
export function parseDate(text: string, pattern: string | undefined, zone: string): number {
  const instant = pattern === undefined ? (parseInstant(text) ?? localIso(text, zone)) : byPattern(text, pattern, zone);
  if (instant !== undefined) return instant;
  throw new Error(`The operator "date_parse" was given "${text.slice(0, maxPattern)}", which is no such time.`);
}

/** A local date or time of ISO 8601 in a zone; undefined if the text is none. */
function localIso(text: string, zone: string): number | undefined {
  const written = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text;
  return parseInstant(`${written}[${zone}]`);
}

/** A text read by a pattern; undefined if its date or time does not exist. */
function byPattern(text: string, pattern: string, zone: string): number | undefined {
  const parts = readParts(text, pattern);
  const { year, month = 1, day = 1, minute = 0, second = 0, millisecond = 0, offset: written } = parts;
  const hour =
    parts.hourOfHalf === undefined ? (parts.hour ?? 0) : parts.hourOfHalf + (parts.afternoon === true ? half : 0);
  if (year === undefined || month < 1 || month > months.length || day < 1 || day > daysOfMonth(year, month))
    return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const local = { year, month, day, hour, minute, second, millisecond };
  if (written === undefined) return instantOfLocal(local, zone);
  const [, sign, hours, minutes] = /([-+])(\d{2}):?(\d{2})/.exec(written) ?? [];
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const ahead = sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return instantOfLocal(local, 'UTC') - ahead;
}
