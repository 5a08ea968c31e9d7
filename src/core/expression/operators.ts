import { defaultMethods } from 'json-logic-engine';
import type { Budget } from './budget.ts';
import { comparing, identical, looselyEqual, ordered, truthy } from './operators/compare.ts';
import { dateMethods } from './operators/dates.ts';
import { documentMethods } from './operators/documents.ts';
import { iterationMethods } from './operators/iterate.ts';
import { listMethods } from './operators/lists.ts';
import { eager } from './operators/method.ts';
import { numberMethods } from './operators/numbers.ts';
import { textMethods } from './operators/texts.ts';

/**
 * All operators of conditions and values: those of jsonlogic.com except `log`, plus `?:` (an alias of `if`), `??` and `coalesce`
 * (the first non-null value), and operators of numbers, texts, lists, documents and times. In the order of the guide.
 */
export const expressionOperators: readonly string[] = [
  'var missing missing_some if ?: == === != !== ! !! or and ?? coalesce',
  '> >= < <= max min + - * / % sum abs floor ceil round to_number',
  'map filter reduce all none some merge in length keys values entries',
  'from_entries get index_of slice concat flatten unique sort_by group_by zip range',
  'cat substr to_string lower upper trim split join replace starts_with ends_with',
  'pad_start uri_encode base64_encode base64_decode json_parse json_stringify',
  'now uuid date date_add date_diff date_format date_parse date_before date_after start_of',
].flatMap((names) => names.split(' '));

/** Engine methods used unchanged, since they only select a value. */
const asTheyAre = ['if', 'or', 'and', '??'];

/**
 * Creates the engine methods for one expression; all of them charge their work to `budget`.
 *
 * JSON Logic loops only over its data. The work of an expression is therefore bounded by its size, times the number of
 * items it iterates over, times the length of what an operator reads. Everything that iterates, copies, joins, compares
 * or converts is charged before it runs. No operator relies on JavaScript's implicit conversion of arrays to strings or
 * numbers: an array that contains another array twice, nested fifty levels deep, would never finish. Data is read only
 * through `read` and `item`, never through the engine's own `var`, which follows prototypes.
 */
export function methodsFor(budget: Budget): Record<string, unknown> {
  const engineMethods = defaultMethods as Readonly<Record<string, unknown>>;
  const comparison = (fits: (order: number) => boolean): ReturnType<typeof comparing> =>
    comparing((a, b) => ordered(a, b, budget, fits));
  return {
    ...Object.fromEntries(asTheyAre.map((name) => [name, engineMethods[name]])),
    '?:': engineMethods['if'],
    coalesce: engineMethods['??'],
    '!': eager(([value]) => !truthy(value)),
    '!!': eager(([value]) => truthy(value)),
    '==': eager(([a, b]) => looselyEqual(a, b, budget)),
    '!=': eager(([a, b]) => !looselyEqual(a, b, budget)),
    '===': comparing((a, b) => identical(a, b, budget)),
    '!==': comparing((a, b) => !identical(a, b, budget)),
    '<': comparison((order) => order < 0),
    '<=': comparison((order) => order <= 0),
    '>': comparison((order) => order > 0),
    '>=': comparison((order) => order >= 0),
    ...numberMethods(budget),
    ...textMethods(budget),
    ...iterationMethods(budget),
    ...listMethods(budget),
    ...documentMethods(budget),
    ...dateMethods(budget),
  };
}
