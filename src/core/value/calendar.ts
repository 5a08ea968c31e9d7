/**
 * Local times in zones of the IANA database: their fields, what is added to them, and whole units between them.
 *
 * The rules are those of `Temporal.ZonedDateTime` (ECMA-262, Temporal): days and longer units move the local time, hours and
 * shorter ones the instant; a day that a month lacks becomes its last; a local time that is skipped moves later by what is
 * skipped, and one that occurs twice is the earlier one.
 */
import { daysOfMonth, daysSinceEpoch, inZone, offsetsOf } from './instant.ts';

/** A local time. */
export interface LocalTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
}

/** A local time as it is in a zone at an instant. */
export interface ZonedTime extends LocalTime {
  /** Milliseconds since 1970. */
  readonly instant: number;
  readonly zone: string;
  /** Seconds by which the local time is ahead of UTC. */
  readonly offset: number;
  /** 1 (Monday) to 7. */
  readonly dayOfWeek: number;
}

/** Units of time. */
export const units = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'] as const;

/** A unit of time. */
export type Unit = (typeof units)[number];

const daySeconds = 86_400;
const daysOfWeek = 7;

/** Bound of local times in seconds since 1970, within what `Date` and the zones of Intl know. */
const maxLocalSeconds = 1e12;
const monthsOfYear = 12;

/** Lengths in milliseconds of the units that are always as long. */
const fixedUnits = { hour: 3_600_000, minute: 60_000, second: 1000, millisecond: 1 } as const;

const utc = (): number => 0;

/** Whether the zone is in the IANA database. */
export function isZone(zone: string): boolean {
  return /^[A-Za-z]/.test(zone) && (zone === 'UTC' || offsetsOf(zone) !== undefined);
}

/** The date of a day counted from 1970-01-01; the inverse of {@link daysSinceEpoch}. */
function dateOfDay(days: number): Pick<LocalTime, 'year' | 'month' | 'day'> {
  // Eras of 400 years that begin in March, as there.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** The local time of an instant. The zone must be one. */
export function zonedTime(instant: number, zone: string): ZonedTime {
  const utcSeconds = Math.floor(instant / 1000);
  const offset = (zone === 'UTC' ? utc : (offsetsOf(zone) ?? utc))(utcSeconds);
  const seconds = utcSeconds + offset;
  const days = Math.floor(seconds / daySeconds);
  const ofDay = seconds - days * daySeconds;
  // 1970-01-01 was a Thursday.
  const weekday = (((days + 3) % daysOfWeek) + daysOfWeek) % daysOfWeek;
  return {
    ...dateOfDay(days),
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
    millisecond: instant - utcSeconds * 1000,
    instant,
    zone,
    offset,
    dayOfWeek: weekday + 1,
  };
}

/** The instant of a local time in a zone. The date must exist. */
export function instantOfLocal(time: LocalTime, zone: string): number {
  return instantOfDay(daysSinceEpoch(time.year, time.month, time.day), time, zone);
}

type TimeOfDay = Pick<LocalTime, 'hour' | 'minute' | 'second' | 'millisecond'>;

const midnight: TimeOfDay = { hour: 0, minute: 0, second: 0, millisecond: 0 };

function instantOfDay(days: number, { hour, minute, second, millisecond }: TimeOfDay, zone: string): number {
  const local = days * daySeconds + hour * 3600 + minute * 60 + second;
  if (Math.abs(local) > maxLocalSeconds) return Number.NaN;
  const instant = zone === 'UTC' ? local : (inZone(local, zone, 'none') ?? local);
  return instant * 1000 + millisecond;
}

/** A duration in units of the calendar and milliseconds, all of one sign. */
export interface CalendarDuration {
  readonly months: number;
  readonly days: number;
  readonly millis: number;
}

const durationForm =
  /^([-+]?)P(?=.)(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:[,.](\d{1,9}))?S)?)?$/;

/** A duration of ISO 8601, with a sign before `P` as in RFC 9557's companion formats; undefined if the text is none. */
export function parseCalendarDuration(text: string): CalendarDuration | undefined {
  const match = durationForm.exec(text);
  if (match === null) return undefined;
  const field = (group: number): number => Number(match[group] ?? 0);
  const sign = match[1] === '-' ? -1 : 1;
  const fraction = Number((match[9] ?? '').slice(0, 3).padEnd(3, '0'));
  return {
    months: sign * (field(2) * monthsOfYear + field(3)),
    days: sign * (field(4) * daysOfWeek + field(5)),
    millis: sign * (field(6) * fixedUnits.hour + field(7) * fixedUnits.minute + field(8) * 1000 + fraction),
  };
}

/** The instant that is a duration after a local time; NaN far outside of the years 1 to 9999. */
export function plus(time: ZonedTime, { months, days, millis }: CalendarDuration): number {
  if (months === 0 && days === 0) return time.instant + millis;
  const month = time.year * monthsOfYear + time.month - 1 + months;
  const [year, ofYear] = [
    Math.floor(month / monthsOfYear),
    (((month % monthsOfYear) + monthsOfYear) % monthsOfYear) + 1,
  ];
  const day = Math.min(time.day, daysOfMonth(year, ofYear));
  return instantOfDay(daysSinceEpoch(year, ofYear, day) + days, time, time.zone) + millis;
}

/** Milliseconds of a local time since midnight. */
function ofDay({ hour, minute, second, millisecond }: TimeOfDay): number {
  return hour * fixedUnits.hour + minute * fixedUnits.minute + second * 1000 + millisecond;
}

/** Whole units from one local time to another in the same zone, towards zero. */
export function wholeUnits(from: ZonedTime, to: ZonedTime, unit: Unit): number {
  const sign = to.instant < from.instant ? -1 : 1;
  if (unit === 'hour' || unit === 'minute' || unit === 'second' || unit === 'millisecond') {
    return Math.trunc((to.instant - from.instant) / fixedUnits[unit]) || 0;
  }
  const timeLeft = (ofDay(to) - ofDay(from)) * sign;
  if (unit === 'week' || unit === 'day') {
    const days = (daysSinceEpoch(to.year, to.month, to.day) - daysSinceEpoch(from.year, from.month, from.day)) * sign;
    const whole = Math.max(0, timeLeft < 0 ? days - 1 : days);
    return sign * Math.floor(whole / (unit === 'week' ? daysOfWeek : 1)) || 0;
  }
  const months = ((to.year - from.year) * monthsOfYear + to.month - from.month) * sign;
  const daysLeft = (to.day - from.day) * sign;
  const whole = Math.max(0, daysLeft < 0 || (daysLeft === 0 && timeLeft < 0) ? months - 1 : months);
  return sign * Math.floor(whole / (unit === 'year' ? monthsOfYear : 1)) || 0;
}

/** The instant at which the unit that holds a local time began; a week begins on Monday (ISO 8601). */
export function startOf(time: ZonedTime, unit: Unit): number {
  const day = daysSinceEpoch(time.year, time.month, time.day);
  switch (unit) {
    case 'year':
      return instantOfDay(daysSinceEpoch(time.year, 1, 1), midnight, time.zone);
    case 'month':
      return instantOfDay(daysSinceEpoch(time.year, time.month, 1), midnight, time.zone);
    case 'week':
      return instantOfDay(day - (time.dayOfWeek - 1), midnight, time.zone);
    case 'day':
      return instantOfDay(day, midnight, time.zone);
    default:
      return time.instant - (ofDay(time) % fixedUnits[unit]);
  }
}
