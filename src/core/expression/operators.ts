/**
 * The operators that conditions may use, and how their work is bounded.
 *
 * JSON Logic has no loops but those over its data, so that an expression's work is its size times what it iterates over.
 * Everything that iterates, copies or joins is therefore counted here, in {@link Budget}; the rest is straight-line and
 * bounded by the size of the definition. Data is reached through `read` and `item` only, never by the engine's own
 * `var`, which follows prototypes.
 */
import { defaultMethods, type LogicEngine } from 'json-logic-engine';

/**
 * Every operator of conditions. Those of jsonlogic.com but `log`, with `?:` (another name of `if`), `??` (the first value
 * that is not null) and `length` (of a text, array or object).
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
];

/** Counts the steps of one evaluation. */
export class Budget {
  readonly #limit: number;
  #left: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#left = limit;
  }

  /** Begins anew. */
  reset(): void {
    this.#left = this.#limit;
  }

  /** Takes `steps`. Throws beyond the limit. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new Error(`The condition takes more than ${String(this.#limit)} steps.`);
  }
}

/** A method of the engine that is called with its arguments evaluated. */
export interface EagerMethod {
  readonly method: (args: unknown, context: unknown, above: unknown, engine: LogicEngine) => unknown;
  readonly lazy?: boolean;
  readonly optimizeUnary?: boolean;
  readonly deterministic: boolean;
}

/** JSON Logic's truthiness: JavaScript's, with the empty array false. */
export function truthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** Texts are cheap to go through: this many code units count as one step. */
const charsPerStep = 256;

/** Taken from the engine as they are: lazy ones that only choose, and comparisons of two or three values. */
const asTheyAre = ['if', '?:', 'or', 'and', '??', '<', '<=', '>', '>=', '===', '!=='];

/** Taken from the engine; they go through their arguments, which are counted. */
const counted = ['max', 'min', '+', '-', '*', '/', '%', 'substr'];

/** The engine's methods for one expression, all of which take from `budget`. */
export function methodsFor(budget: Budget): Record<string, unknown> {
  const methods: Record<string, unknown> = {};
  const engineMethods = defaultMethods as Readonly<Record<string, unknown>>;
  for (const name of asTheyAre) methods[name] = engineMethods[name];
  for (const name of counted) methods[name] = countedMethod(engineMethods[name], budget);

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
  methods['cat'] = eager((args) => args.map((arg) => toText(arg, budget)).join(''));
  methods['in'] = eager(([needle, haystack]) => {
    if (typeof haystack === 'string') {
      budget.spend(haystack.length / charsPerStep);
      return haystack.includes(toText(needle, budget));
    }
    if (!Array.isArray(haystack)) return false;
    budget.spend(haystack.length);
    return haystack.includes(needle);
  });
  methods['length'] = eager(([value]) => {
    if (typeof value === 'string' || Array.isArray(value)) return value.length;
    if (typeof value !== 'object' || value === null) throw new Error('The operator "length" has nothing to measure.');
    const keys = Object.keys(value);
    budget.spend(keys.length);
    return keys.length;
  });

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
      if (Array.isArray(args)) budget.spend(args.length);
      return run(args, context, above, engine);
    },
    deterministic: false,
    ...(run.optimizeUnary === true ? { optimizeUnary: true } : undefined),
  };
}

type Each = (item: unknown) => unknown;

/** A method over the items of an array; null is an empty one. Within, the item is all the data there is. */
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

/** Steps of one pass through an expression: its operators and values. Kept, since it is asked for per evaluation. */
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
 * JavaScript's `==`. The engine's own throws where a text meets a number or an object meets null, and takes null for 0,
 * which would make `{"!=": [{"var": "…body"}, null]}` fail just when there is a body.
 */
function looselyEqual(a: unknown, b: unknown, budget: Budget): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (left === null || right === null) return left === right;
  if (typeof left === 'object' && typeof right === 'object') return left === right;
  const x = typeof left === 'object' ? toText(left, budget) : left;
  const y = typeof right === 'object' ? toText(right, budget) : right;
  // oxlint-disable-next-line eqeqeq -- loose equality is what the operator means
  return x == y;
}

/** JavaScript's conversion to text, counted, and without the methods that data may bring along. */
export function toText(value: unknown, budget: Budget): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') {
    budget.spend(value.length / charsPerStep);
    return value;
  }
  if (Array.isArray(value)) {
    budget.spend(value.length + 1);
    return value.map((item) => toText(item, budget)).join(',');
  }
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '[object Object]';
}
