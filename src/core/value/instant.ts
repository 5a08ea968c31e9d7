const pattern =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(Z|([+-])(\d{2})(?::?(\d{2}))?)?(?:\[!?([\w+:/-]{1,64})\])?$/;

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days of a month from 1 to 12. */
export function daysOfMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : (monthDays[month - 1] as number);
}

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/**
 * Days from 1970-01-01 to a date of the proleptic Gregorian calendar, computed in eras of 400 years that begin in
 * March.
 */
export function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/**
 * Parses a time into milliseconds since 1970 (UTC). Accepts ISO 8601 with an offset (`2026-03-01T09:30Z`,
 * `2026-03-01T09:30:15.250+02:00`), with an IANA time zone as in RFC 9557 (`2027-01-01T09:00[Europe/Berlin]`), or with
 * both. Stricter than `Date.parse`: the date must exist, and leap seconds and 24:00 are rejected. Seconds and their
 * fraction are optional; digits after the third of a fraction are ignored.
 *
 * A local time that occurs twice, when clocks go back, means the earlier one. A local time that is skipped, when clocks
 * go forward, is moved later by the skipped amount. An offset next to a zone must be valid in that zone at that time;
 * `Z` next to a zone means UTC.
 *
 * @returns undefined if the text is not such a time.
 */
export function parseInstant(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const field = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day, hour, minute, second] = [field(1), field(2), field(3), field(4), field(5), field(6)];
  const lastDay = month === 2 && isLeapYear(year) ? 29 : monthDays[month - 1];
  if (lastDay === undefined || day < 1 || day > lastDay) return undefined;
  const [offsetHour, offsetMinute] = [field(10), field(11)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const seconds = (daysSinceEpoch(year, month, day) * 1440 + hour * 60 + minute) * 60 + second;
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const [written, zone] = [match[8], match[12]];
  const offset = (match[9] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute) * 60;
  let instant: number | undefined;
  if (zone !== undefined)
    instant = inZone(seconds, zone, isUtc(written) ? 'UTC' : written === undefined ? 'none' : offset);
  else if (written !== undefined) instant = seconds - offset;
  return instant === undefined ? undefined : instant * 1000 + fraction;
}

/** Whether an offset marks the time as UTC without a local offset (RFC 9557, section 2.2). */
const isUtc = (written: string | undefined): boolean => written === 'Z' || /^-00(?::?00)?$/.test(written ?? '');

/** The reason why a text is not a valid time, as the end of a sentence that begins with the text. */
export function instantFault(text: string): string {
  const [, , , , , , , , written, , , , zone] = pattern.exec(text) ?? [];
  const isDate =
    parseInstant(`${text.replace(/\[.*$/s, '').replace(/(?:Z|[+-]\d{2}(?::?\d{2})?)$/, '')}Z`) !== undefined;
  if (isDate && zone !== undefined) {
    if (offsetsOf(zone) === undefined) return `names the zone ${zone}, which the IANA database does not have`;
    return `has the offset ${written ?? ''}, which ${zone} does not have at that time`;
  }
  if (isDate && written === undefined && pattern.test(text))
    return 'has neither an offset, like +01:00 or Z, nor a zone, like [Europe/Berlin]';
  return 'is no ISO 8601 time with an offset or a zone';
}

/**
 * Converts a local time in a zone to an instant. Both are seconds since 1970; the local time is counted as if it were
 * UTC. `offset` is the written offset in seconds, `none` if there is none, or `UTC` if the time is in UTC rather than
 * local.
 */
export function inZone(local: number, zone: string, offset: number | 'UTC' | 'none'): number | undefined {
  const offsetAt = offsetsOf(zone);
  if (offsetAt === undefined) return undefined;
  if (offset === 'UTC') return local;
  if (typeof offset === 'number') return offsetAt(local - offset) === offset ? local - offset : undefined;
  // No zone changes its offset twice within two days.
  const [before, after] = [offsetAt(local - daySeconds), offsetAt(local + daySeconds)];
  const candidates = [local - Math.max(before, after), local - Math.min(before, after)];
  return candidates.find((instant) => instant + offsetAt(instant) === local) ?? local - before;
}

const daySeconds = 86_400;

/** Maximum number of cached zones; more than one installation is likely to use. */
const maxZones = 64;

/** Returns the offset of a zone in seconds, for an instant in seconds. */
export type OffsetAt = (instant: number) => number;

const zones = new Map<string, OffsetAt | undefined>();

/** The offset function of a zone, or undefined if the IANA database does not contain it. */
export function offsetsOf(zone: string): OffsetAt | undefined {
  if (zones.has(zone)) return zones.get(zone);
  const found = readZone(zone);
  if (zones.size >= maxZones) zones.clear();
  zones.set(zone, found);
  return found;
}

function readZone(timeZone: string): OffsetAt | undefined {
  let format: Intl.DateTimeFormat;
  try {
    const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' } as const;
    const rest = { minute: 'numeric', second: 'numeric', era: 'short', hourCycle: 'h23' } as const;
    format = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { timeZone, ...fields, ...rest });
  } catch {
    return undefined;
  }
  return (instant) => {
    const parts = new Map(format.formatToParts(instant * 1000).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year');
    const days = daysSinceEpoch(year, part('month'), part('day'));
    return days * daySeconds + part('hour') * 3600 + part('minute') * 60 + part('second') - instant;
  };
}
