/** Checks of arguments that are written in the definition, so that a wrong one is found when it is posted. */
import type { Json } from '../value/json.ts';
import { patternFault } from './date-pattern.ts';
import { maxPlaces, roundingModes } from './decimal.ts';
import { differenceUnits, startUnits } from './operators/dates.ts';

/** What is wrong with literal arguments of an operation as a sentence, or undefined. */
export function literalFault(operator: string, args: readonly Json[]): string | undefined {
  const [, second, third] = args;
  switch (operator) {
    case 'round':
      return placesFault(operator, second) ?? oneOf(operator, third, 'rounding modes', roundingModes);
    case 'to_string':
      return placesFault(operator, second);
    case 'date_diff':
      return oneOf(operator, third, 'units', differenceUnits);
    case 'start_of':
      return oneOf(operator, second, 'units', startUnits);
    case 'date_format':
    case 'date_parse':
      return typeof second === 'string' ? patternFault(second) : undefined;
    case 'now':
      return args.some((arg) => arg !== null) ? 'The operator "now" takes nothing: { "now": [] }.' : undefined;
    case 'uuid':
      return args.length > 1 ? 'The operator "uuid" takes one name.' : undefined;
    default:
      return undefined;
  }
}

function placesFault(operator: string, places: Json | undefined): string | undefined {
  if (places === undefined || (typeof places === 'object' && places !== null)) return undefined;
  const isFine = typeof places === 'number' && Number.isInteger(places) && Math.abs(places) <= maxPlaces;
  return isFine
    ? undefined
    : `The operator "${operator}" takes from -${String(maxPlaces)} to ${String(maxPlaces)} places.`;
}

function oneOf(operator: string, value: Json | undefined, what: string, known: readonly string[]): string | undefined {
  if (value === undefined || (typeof value === 'object' && value !== null)) return undefined;
  const isKnown = known.some((name) => name === value || (what === 'units' && `${name}s` === value));
  return isKnown ? undefined : `The operator "${operator}" knows the ${what} ${known.join(', ')}.`;
}
