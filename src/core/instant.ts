/** Instants written as ISO 8601: strict, without the leniency of `Date.parse`. */

const pattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)$/;

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in eras of 400 years from March. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/**
 * The instant that an ISO 8601 time with offset names, in milliseconds since 1970 (UTC), or undefined when the text is
 * none: `2026-03-01T09:30Z`, `2026-03-01T09:30:15.250+02:00`. The date must exist, the offset must be there; seconds
 * and their fraction may be left out; digits after the third of a fraction are dropped. No leap seconds, no 24:00.
 */
export function parseInstant(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const field = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day, hour, minute, second] = [field(1), field(2), field(3), field(4), field(5), field(6)];
  const lastDay = month === 2 && isLeapYear(year) ? 29 : monthDays[month - 1];
  if (lastDay === undefined || day < 1 || day > lastDay) return undefined;
  const [offsetHour, offsetMinute] = [field(9), field(10)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const offset = (match[8] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  const minutes = daysSinceEpoch(year, month, day) * 1440 + hour * 60 + minute - offset;
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  return minutes * 60_000 + second * 1000 + fraction;
}
