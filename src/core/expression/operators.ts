import { defaultMethods, type LogicEngine } from 'json-logic-engine';
import { charsPerStep, readCharsPerStep } from '../meter.ts';
import type { Budget } from './budget.ts';
import { instantFault, parseInstant } from '../value/instant.ts';
import { holdsText } from './text-search.ts';

/**
 * All operators of conditions: those of jsonlogic.com except `log`, plus `?:` (an alias of `if`), `??` (the first
 * non-null value), `length` (of a string, array or object) and `date` (a time as a comparable number).
 */
export const expressionOperators: readonly string[] = [
  'var',
  'missing',
  'missing_some',
  'if',
  '?:',
  '==',
  '===',
  '!=',
  '!==',
  '!',
  '!!',
  'or',
  'and',
  '??',
  '>',
  '>=',
  '<',
  '<=',
  'max',
  'min',
  '+',
  '-',
  '*',
  '/',
  '%',
  'map',
  'filter',
  'reduce',
  'all',
  'none',
  'some',
  'merge',
  'in',
  'cat',
  'substr',
  'length',
  'date',
];

/** An engine method that receives evaluated arguments. */
export interface EagerMethod {
  readonly method: (args: unknown, context: unknown, above: unknown, engine: LogicEngine) => unknown;
  readonly lazy?: boolean;
  readonly optimizeUnary?: boolean;
  readonly deterministic: boolean;
}

/** Truthiness in JSON Logic: as in JavaScript, except that an empty array is false. */
export function truthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** Engine methods used unchanged, since they only select a value. */
const asTheyAre = ['if', '?:', 'or', 'and', '??'];

/**
 * Engine methods that iterate over their arguments and parse strings as numbers, which is charged. They reject objects.
 */
const counted = ['max', 'min', '+', '-', '*', '/', '%'];

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
  const methods: Record<string, unknown> = {};
  const engineMethods = defaultMethods as Readonly<Record<string, unknown>>;
  for (const name of asTheyAre) methods[name] = engineMethods[name];
  for (const name of counted) methods[name] = countedMethod(engineMethods[name], budget);

  const spend = (steps: number): void => {
    budget.spend(steps);
  };
  const eager = (method: (args: readonly unknown[]) => unknown): EagerMethod => ({
    method: (args) => method(Array.isArray(args) ? args : [args]),
    deterministic: false,
  });
  methods['!'] = eager(([value]) => !truthy(value));
  methods['!!'] = eager(([value]) => truthy(value));
  methods['=='] = eager(([a, b]) => looselyEqual(a, b, budget));
  methods['!='] = eager(([a, b]) => !looselyEqual(a, b, budget));
  methods['merge'] = eager((args) => {
    for (const arg of args) budget.spend(Array.isArray(arg) ? arg.length : 1);
    return args.flat(1);
  });
  methods['==='] = comparing((a, b) => identical(a, b, budget));
  methods['!=='] = comparing((a, b) => !identical(a, b, budget));
  methods['<'] = comparing((a, b) => ordered(a, b, budget, (x, y) => x < y));
  methods['<='] = comparing((a, b) => ordered(a, b, budget, (x, y) => x <= y));
  methods['>'] = comparing((a, b) => ordered(a, b, budget, (x, y) => x > y));
  methods['>='] = comparing((a, b) => ordered(a, b, budget, (x, y) => x >= y));
  methods['cat'] = eager((args) => joined(args, '', budget));
  methods['substr'] = eager(([text, from, end]) => substring(text, primitive(from, budget), primitive(end, budget)));
  methods['in'] = eager(([needle, haystack]) => {
    if (typeof haystack === 'string') return holdsText(haystack, toText(needle, budget), spend);
    if (!Array.isArray(haystack)) return false;
    budget.spend(haystack.length);
    return haystack.some((item) => identical(item, needle, budget) || (Number.isNaN(item) && Number.isNaN(needle)));
  });
  methods['length'] = eager(([value]) => {
    if (typeof value === 'string' || Array.isArray(value)) return value.length;
    if (typeof value !== 'object' || value === null) throw new Error('The operator "length" has nothing to measure.');
    const keys = Object.keys(value);
    budget.spend(keys.length);
    return keys.length;
  });

  methods['date'] = eager((args) => dateOf(args, budget));

  methods['map'] = iterating(budget, (items, each) => items.map((item) => each(item)));
  methods['filter'] = iterating(budget, (items, each) => items.filter((item) => truthy(each(item))));
  methods['some'] = iterating(budget, (items, each) => items.some((item) => truthy(each(item))));
  methods['none'] = iterating(budget, (items, each) => !items.some((item) => truthy(each(item))));
  methods['all'] = iterating(budget, (items, each) => items.length > 0 && items.every((item) => truthy(each(item))));
  methods['reduce'] = reduceMethod(budget);
  return methods;
}

function countedMethod(original: unknown, budget: Budget): EagerMethod {
  const run = original as EagerMethod['method'] & { readonly optimizeUnary?: boolean };
  return {
    method: (args, context, above, engine) => {
      if (Array.isArray(args)) {
        budget.spend(args.length);
        for (const arg of args as readonly unknown[]) readAsNumber(arg, budget);
      } else readAsNumber(args, budget);
      return run(args, context, above, engine);
    },
    deterministic: false,
    ...(run.optimizeUnary === true ? { optimizeUnary: true } : undefined),
  };
}

/** Charges the conversion of a string to a number. */
function readAsNumber(value: unknown, budget: Budget): void {
  if (typeof value === 'string') budget.spend(value.length / readCharsPerStep);
}

/** A method that compares each argument with the next, and stops evaluating at the first pair that does not match. */
function comparing(fits: (a: unknown, b: unknown) => boolean): EagerMethod {
  return {
    lazy: true,
    deterministic: false,
    method: (args, context, _above, engine) => {
      const list = argumentsOf(args);
      if (list.length < 2) throw new Error('An operator that compares needs two values.');
      let left = engine.run(list[0], context) as unknown;
      for (let i = 1; i < list.length; i++) {
        const right = engine.run(list[i], context) as unknown;
        if (!fits(left, right)) return false;
        left = right;
      }
      return true;
    },
  };
}

function identical(a: unknown, b: unknown, budget: Budget): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length !== b.length) return false;
    budget.spend(a.length / charsPerStep);
  }
  return a === b;
}

/** Cost, in steps, of looking up a time zone given in brackets. */
const stepsPerZone = 200;

/**
 * Parses a time into milliseconds since 1970. Throws for an invalid time, since any comparison with it would be
 * meaningless.
 */
function dateOf(args: readonly unknown[], budget: Budget): number {
  const [text] = args;
  if (args.length !== 1) throw new Error('The operator "date" takes one time.');
  if (text === undefined || text === null)
    throw new Error('The operator "date" was given nothing: its value is missing or null.');
  if (typeof text !== 'string')
    throw new Error('The operator "date" takes a text like "2030-01-31T09:00:00Z", and was given none.');
  budget.spend(text.length / readCharsPerStep + (text.endsWith(']') ? stepsPerZone : 1));
  const instant = parseInstant(text);
  if (instant === undefined) throw new Error(`The operator "date" was given a text that ${instantFault(text)}.`);
  return instant;
}

/**
 * Compares strings by code units and everything else as numbers. Throws NaN for values that are not numbers, except
 * that a string compared with null is false.
 */
function ordered(
  a: unknown,
  b: unknown,
  budget: Budget,
  fits: (x: string | number, y: string | number) => boolean,
): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spend(Math.min(a.length, b.length) / charsPerStep);
    return fits(a, b);
  }
  const x = numberOf(a, budget);
  const y = numberOf(b, budget);
  if (Number.isNaN(x) || Number.isNaN(y)) {
    if ((a === null && typeof b === 'string') || (b === null && typeof a === 'string')) return false;
    // oxlint-disable-next-line typescript/only-throw-error -- the engine's own operators throw it for what is no number
    throw Number.NaN;
  }
  return fits(x, y);
}

/** Converts a value to a number; NaN for arrays, objects and missing values. */
function numberOf(value: unknown, budget: Budget): number {
  readAsNumber(value, budget);
  return value === undefined || (typeof value === 'object' && value !== null) ? Number.NaN : Number(value);
}

/**
 * Converts arrays and objects to text, so that JavaScript can convert the result to a number cheaply. Charges the
 * conversion.
 */
export function primitive(value: unknown, budget: Budget): unknown {
  const flat = typeof value === 'object' && value !== null ? toText(value, budget) : value;
  readAsNumber(flat, budget);
  return flat;
}

/** The `substr` of JSON Logic: a negative length omits that many characters at the end. */
function substring(text: unknown, from: unknown, length: unknown): string {
  if (typeof text !== 'string') throw new TypeError('There is no text to take a part of.');
  const rest = text.slice(startOf(text, from));
  const count = length === undefined ? Infinity : Number(length);
  if (count < 0) return rest.slice(0, Math.max(0, rest.length + count));
  return rest.slice(0, Number.isNaN(count) ? 0 : count);
}

function startOf(text: string, from: unknown): number {
  const start = Number(from ?? 0);
  if (Number.isNaN(start)) return 0;
  return start < 0 ? Math.max(0, text.length + Math.trunc(start)) : start;
}

type Each = (item: unknown) => unknown;

/** A method over the items of an array; null counts as an empty array. Within it, the item is the only data. */
function iterating(budget: Budget, method: (items: readonly unknown[], each: Each) => unknown): EagerMethod {
  return {
    lazy: true,
    deterministic: false,
    method: (args, context, _above, engine) => {
      const [selector, mapper] = argumentsOf(args);
      const items = itemsOf(engine.run(selector, context) as unknown, budget);
      const weight = weightOf(mapper);
      return method(items, (item) => {
        budget.spend(weight);
        return engine.run(mapper, item) as unknown;
      });
    },
  };
}

function reduceMethod(budget: Budget): EagerMethod {
  return {
    lazy: true,
    deterministic: false,
    method: (args, context, _above, engine) => {
      const [selector, reducer, initial] = argumentsOf(args);
      const items = itemsOf(engine.run(selector, context) as unknown, budget);
      const weight = weightOf(reducer);
      let accumulator = (initial === undefined ? null : engine.run(initial, context)) as unknown;
      for (const current of items) {
        budget.spend(weight);
        accumulator = engine.run(reducer, { accumulator, current }) as unknown;
      }
      return accumulator;
    },
  };
}

function argumentsOf(args: unknown): readonly unknown[] {
  return Array.isArray(args) ? args : [args];
}

function itemsOf(value: unknown, budget: Budget): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new Error('There is no array to go through.');
  budget.spend(value.length);
  return value as readonly unknown[];
}

/**
 * Cost of one pass through an expression, in steps: its operators and values. Cached because every evaluation needs it.
 */
const weights = new WeakMap<object, number>();

function weightOf(logic: unknown): number {
  if (typeof logic !== 'object' || logic === null) return 1;
  const known = weights.get(logic);
  if (known !== undefined) return known;
  let weight = 1;
  for (const part of Object.values(logic)) weight += weightOf(part);
  weights.set(logic, weight);
  return weight;
}

/**
 * JavaScript's `==`. The engine's own operator throws when a string is compared with a number or an object with null,
 * and treats null as 0, so `{"!=": [{"var": "…body"}, null]}` would fail exactly when there is a body.
 */
function looselyEqual(a: unknown, b: unknown, budget: Budget): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (left === null || right === null) return left === right;
  if (typeof left === 'object' && typeof right === 'object') return left === right;
  const x = typeof left === 'object' ? toText(left, budget) : left;
  const y = typeof right === 'object' ? toText(right, budget) : right;
  if (typeof x === 'string' && typeof y === 'string') return identical(x, y, budget);
  readAsNumber(x, budget);
  readAsNumber(y, budget);
  // oxlint-disable-next-line eqeqeq -- loose equality is what the operator means
  return x == y;
}

/** Converts a value to text as JavaScript does, but charged, and without calling methods found in the data. */
export function toText(value: unknown, budget: Budget): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') {
    budget.spend(value.length / charsPerStep);
    return value;
  }
  if (Array.isArray(value)) return joined(value, ',', budget);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '[object Object]';
}

/** Joins the texts of values; charges their number and the length of the result. */
function joined(values: readonly unknown[], separator: string, budget: Budget): string {
  budget.spend(values.length + 1);
  const texts = values.map((item) => toText(item, budget));
  let length = Math.max(0, texts.length - 1) * separator.length;
  for (const text of texts) length += text.length;
  budget.spend(length / charsPerStep);
  budget.build(length);
  return texts.join(separator);
}
