import type { Budget } from '../budget.ts';
import { truthy } from './compare.ts';
import { argumentsOf, type Method } from './method.ts';

type Each = (item: unknown) => unknown;

/** A method over the items of an array; null counts as an empty array. Within it, `var` reads the item. */
export function iterating(budget: Budget, method: (items: readonly unknown[], each: Each) => unknown): Method {
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

function reduceMethod(budget: Budget): Method {
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

/** The items of a list; null and a missing value have none. Charges their number; throws for anything else. */
export function itemsOf(value: unknown, budget: Budget): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new Error('There is no array to go through.');
  budget.spend(value.length);
  return value as readonly unknown[];
}

/** Cost of one pass through an expression, in steps: its operators and values. Cached because every evaluation needs it. */
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

/** `map`, `filter`, `some`, `none`, `all` and `reduce`. */
export function iterationMethods(budget: Budget): Record<string, Method> {
  return {
    map: iterating(budget, (items, each) => items.map((item) => each(item))),
    filter: iterating(budget, (items, each) => items.filter((item) => truthy(each(item)))),
    some: iterating(budget, (items, each) => items.some((item) => truthy(each(item)))),
    none: iterating(budget, (items, each) => !items.some((item) => truthy(each(item)))),
    all: iterating(budget, (items, each) => items.length > 0 && items.every((item) => truthy(each(item)))),
    reduce: reduceMethod(budget),
  };
}
