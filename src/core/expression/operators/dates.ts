import { readCharsPerStep } from '../../meter.ts';
import {
  isZone,
  parseCalendarDuration,
  plus,
  startOf,
  type Unit,
  units,
  wholeUnits,
  type ZonedTime,
  zonedTime,
} from '../../value/calendar.ts';
import { instantFault, parseInstant } from '../../value/instant.ts';
import type { Budget } from '../budget.ts';
import { formatDate, parseDate } from '../date-pattern.ts';
import { toText } from './compare.ts';
import { eager, type Method } from './method.ts';
import { textOf } from './texts.ts';

/** Cost of an operation on a calendar, in steps; the first one in a zone reads its rules. */
const stepsPerDate = 60;

/** Cost, in steps, of looking up a time zone given in brackets. */
const stepsPerZone = 200;

const utcPattern = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/** The instants of the years 1 to 9999. */
const [firstInstant, lastInstant] = [-62_135_596_800_000, 253_402_300_799_999];

/** Units of `date_diff`; a plural is the same. */
export const differenceUnits: readonly Unit[] = units;

/** Units of `start_of`; a plural is the same. */
export const startUnits: readonly Unit[] = units.slice(0, -2);

/** The instant of a text, in milliseconds. Throws a sentence when it is none. */
function instantOf(value: unknown, operator: string, budget: Budget): number {
  if (value === undefined || value === null)
    throw new Error(`The operator "${operator}" was given nothing: its value is missing or null.`);
  if (typeof value !== 'string')
    throw new Error(`The operator "${operator}" takes a text like "2030-01-31T09:00:00Z", and was given none.`);
  budget.spend(value.length / readCharsPerStep + (value.endsWith(']') ? stepsPerZone : 1));
  const instant = parseInstant(value);
  if (instant === undefined)
    throw new Error(`The operator "${operator}" was given a text that ${instantFault(value)}.`);
  return instant;
}

/** An instant as text: UTC, with milliseconds. Throws outside of the years 1 to 9999. */
export function instantText(millis: number, operator: string): string {
  if (!(millis >= firstInstant && millis <= lastInstant))
    throw new Error(`The operator "${operator}" gives a time outside of the years 1 to 9999.`);
  return formatDate(zonedTime(millis, 'UTC'), utcPattern);
}

function zoneOf(value: unknown, operator: string, budget: Budget): string {
  if (value === undefined || value === null) return 'UTC';
  const zone = textOf(value, operator, budget);
  budget.spend(stepsPerZone);
  if (!isZone(zone)) throw new Error(`The operator "${operator}" takes an IANA zone like "Europe/Berlin".`);
  return zone;
}

function zoned(value: unknown, zone: unknown, operator: string, budget: Budget): ZonedTime {
  const instant = instantOf(value, operator, budget);
  const name = zoneOf(zone, operator, budget);
  budget.spend(stepsPerDate);
  return zonedTime(instant, name);
}

function unitOf(value: unknown, operator: string, known: readonly Unit[]): Unit {
  const unit = known.find((name) => name === value || `${name}s` === value);
  if (unit === undefined) throw new Error(`The operator "${operator}" knows the units ${known.join(', ')}.`);
  return unit;
}

/** Operators of times. An instant is an ISO 8601 text with an offset or a zone; a result is in UTC. */
export function dateMethods(budget: Budget): Record<string, Method> {
  return {
    date: eager((args) => {
      if (args.length !== 1) throw new Error('The operator "date" takes one time.');
      return instantOf(args[0], 'date', budget);
    }),
    date_add: eager(([instant, written, zone]) => {
      const time = zoned(instant, zone, 'date_add', budget);
      const duration = parseCalendarDuration(textOf(written, 'date_add', budget));
      if (duration === undefined)
        throw new Error('The operator "date_add" takes an ISO 8601 duration like "P1M", "-P2D" or "PT30M".');
      return instantText(plus(time, duration), 'date_add');
    }),
    date_diff: eager(([a, b, name, zone]) => {
      const unit = unitOf(name, 'date_diff', differenceUnits);
      return wholeUnits(zoned(a, zone, 'date_diff', budget), zoned(b, zone, 'date_diff', budget), unit);
    }),
    date_format: eager(([instant, pattern, zone]) =>
      formatDate(zoned(instant, zone, 'date_format', budget), textOf(pattern, 'date_format', budget)),
    ),
    date_parse: eager(([value, pattern, zone]) => {
      const text = textOf(value, 'date_parse', budget);
      const name = zoneOf(zone, 'date_parse', budget);
      budget.spend(stepsPerDate + text.length / readCharsPerStep);
      const millis = parseDate(
        text,
        pattern === undefined || pattern === null ? undefined : toText(pattern, budget),
        name,
      );
      return instantText(millis, 'date_parse');
    }),
    date_before: eager(([a, b]) => instantOf(a, 'date_before', budget) < instantOf(b, 'date_before', budget)),
    date_after: eager(([a, b]) => instantOf(a, 'date_after', budget) > instantOf(b, 'date_after', budget)),
    start_of: eager(([instant, name, zone]) => {
      const unit = unitOf(name, 'start_of', startUnits);
      return instantText(startOf(zoned(instant, zone, 'start_of', budget), unit), 'start_of');
    }),
  };
}
