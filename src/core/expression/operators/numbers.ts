import type { Budget } from '../budget.ts';
import {
  absolute,
  difference,
  extreme,
  fixedText,
  numeric,
  placesOf,
  product,
  quotient,
  remainder,
  rounded,
  roundingModes,
  sum,
} from '../decimal.ts';
import { isComposite, toText } from './compare.ts';
import { eager, type Method } from './method.ts';

/** The one list among the arguments as the arguments: `{"sum": [{"var": "payload.amounts"}]}`. */
function spread(args: readonly unknown[]): readonly unknown[] {
  const [only] = args;
  return args.length === 1 && Array.isArray(only) ? (only as readonly unknown[]) : args;
}

/** Arithmetic on exact decimals; see `decimal.ts`. */
export function numberMethods(budget: Budget): Record<string, Method> {
  const [halfEven = ''] = roundingModes;
  return {
    '+': eager((args) => sum(args, '+', budget)),
    '-': eager((args) => difference(args, budget)),
    '*': eager((args) => product(args, budget)),
    '/': eager((args) => quotient(args, budget)),
    '%': eager((args) => remainder(args, budget)),
    max: eager((args) => extreme(spread(args), 'max', budget)),
    min: eager((args) => extreme(spread(args), 'min', budget)),
    sum: eager((args) => sum(spread(args), 'sum', budget)),
    abs: eager(([x]) => absolute(x, budget)),
    floor: eager(([x]) => rounded(x, 0, 'floor', 'floor', budget)),
    ceil: eager(([x]) => rounded(x, 0, 'ceil', 'ceil', budget)),
    round: eager(([x, places, mode]) =>
      rounded(
        x,
        placesOf(places, 'round', budget),
        mode === undefined ? halfEven : toText(mode, budget),
        'round',
        budget,
      ),
    ),
    to_number: eager(([x]) => {
      const number = numeric(x, budget);
      if (number === undefined) throw new Error('The operator "to_number" was given something that is no number.');
      return number;
    }),
    to_string: eager(([x, places]) => {
      if (places !== undefined) return fixedText(x, placesOf(places, 'to_string', budget), 'to_string', budget);
      if (isComposite(x))
        throw new Error('The operator "to_string" takes no list and no object; see "json_stringify".');
      return toText(x, budget);
    }),
  };
}
