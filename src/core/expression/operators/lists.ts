import { charsPerStep } from '../../meter.ts';
import { isJsonObject, type Json } from '../../value/json.ts';
import type { Budget } from '../budget.ts';
import { compareNumbers, integer, isNumber, numeric } from '../decimal.ts';
import { identical, isComposite, toText } from './compare.ts';
import { equalityKey } from './documents.ts';
import { itemsOf, iterating } from './iterate.ts';
import { argumentsOf, eager, type Method } from './method.ts';
import { textOf } from './texts.ts';

/** Deepest nesting that `flatten` removes. */
const maxFlatten = 128;

/** Bound of the numbers of `range` and of places: safe integers. */
const maxPlace = Number.MAX_SAFE_INTEGER;

/** The entries of an object, charged; null and a missing value have none. Throws for anything else. */
function entriesOf(value: unknown, operator: string, budget: Budget): readonly (readonly [string, Json])[] {
  if (value === null || value === undefined) return [];
  if (!isJsonObject(value)) throw new Error(`The operator "${operator}" needs an object and was given something else.`);
  const entries = Object.entries(value);
  budget.spend(entries.length);
  return entries;
}

function listOf(value: unknown, operator: string, budget: Budget): readonly unknown[] {
  if (value === null || value === undefined || Array.isArray(value)) return itemsOf(value, budget);
  throw new Error(`The operator "${operator}" needs a list and was given something else.`);
}

function flattened(items: readonly unknown[], depth: number, budget: Budget, into: unknown[]): unknown[] {
  for (const item of items) {
    if (depth > 0 && Array.isArray(item)) {
      budget.spend(item.length);
      flattened(item, depth - 1, budget, into);
    } else into.push(item);
  }
  return into;
}

/** The value under a key of an object or at a place of a list; own properties only. */
function member(value: unknown, key: unknown, budget: Budget): unknown {
  budget.spend(1);
  if (Array.isArray(value)) {
    const place = numeric(key, budget);
    return typeof place === 'number' && Number.isInteger(place) && place >= 0 ? (value[place] as unknown) : undefined;
  }
  if (!isComposite(value)) return undefined;
  const name = toText(key, budget);
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** Ascending order of numbers or of texts. Throws for a mixture and for anything else. */
function orderOf(a: unknown, b: unknown, budget: Budget): number {
  budget.spend(1);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b, budget);
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spend(Math.min(a.length, b.length) / charsPerStep);
    return a < b ? -1 : a > b ? 1 : 0;
  }
  throw new Error('The operator "sort_by" sorts by numbers or by texts, not by anything else and not by both.');
}

function sorted(items: readonly unknown[], each: (item: unknown) => unknown, budget: Budget): readonly unknown[] {
  const keyed = items.map((item) => ({ item, key: each(item) }));
  const [first] = keyed;
  if (first !== undefined) orderOf(first.key, first.key, budget);
  return keyed.sort((a, b) => orderOf(a.key, b.key, budget)).map(({ item }) => item);
}

function grouped(items: readonly unknown[], each: (item: unknown) => unknown, budget: Budget): unknown {
  const groups = new Map<string, unknown[]>();
  for (const item of items) {
    const name = textOf(each(item), 'group_by', budget);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return Object.fromEntries(groups);
}

function range(args: readonly unknown[], budget: Budget): readonly number[] {
  const bounded = (value: unknown): number => integer(value, 'range', -maxPlace, maxPlace, budget);
  const [from, to, step] = [bounded(args[0]), bounded(args[1]), args[2] === undefined ? 1 : bounded(args[2])];
  if (step === 0) throw new Error('The operator "range" needs a step that is not 0.');
  const count = Math.max(0, Math.ceil((to - from) / step));
  budget.spend(count);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** Operators of lists and objects. */
export function listMethods(budget: Budget): Record<string, Method> {
  const place = (value: unknown, operator: string): number => integer(value, operator, -maxPlace, maxPlace, budget);
  return {
    merge: eager((args) => {
      for (const arg of args) budget.spend(Array.isArray(arg) ? arg.length : 1);
      return args.flat(1);
    }),
    length: eager(([value]) => {
      if (typeof value === 'string' || Array.isArray(value)) return value.length;
      if (!isComposite(value)) throw new Error('The operator "length" has nothing to measure.');
      return entriesOf(value, 'length', budget).length;
    }),
    keys: eager(([object]) => entriesOf(object, 'keys', budget).map(([key]) => key)),
    values: eager(([object]) => entriesOf(object, 'values', budget).map(([, value]) => value)),
    entries: eager(([object]) => entriesOf(object, 'entries', budget).map(([key, value]) => [key, value])),
    from_entries: eager(([list]) =>
      Object.fromEntries(
        listOf(list, 'from_entries', budget).map((pair) => {
          if (!Array.isArray(pair) || pair.length !== 2)
            throw new Error('The operator "from_entries" needs a list of pairs of a key and a value.');
          return [textOf(pair[0], 'from_entries', budget), pair[1] as unknown];
        }),
      ),
    ),
    get: eager(([value, path, otherwise]) => {
      let at: unknown = value;
      for (const key of argumentsOf(path)) at = member(at, key, budget);
      return at ?? otherwise ?? null;
    }),
    index_of: eager(([within, wanted]) => {
      if (typeof within === 'string') throw new Error('The operator "index_of" needs a list; see "in" for texts.');
      const items = listOf(within, 'index_of', budget);
      if (!isComposite(wanted)) return items.findIndex((item) => identical(item, wanted, budget));
      const key = equalityKey(wanted, budget);
      return items.findIndex((item) => isComposite(item) && equalityKey(item, budget) === key);
    }),
    slice: eager(([value, from, to]) => {
      const end = to === undefined || to === null ? undefined : place(to, 'slice');
      const begin = place(from ?? 0, 'slice');
      if (typeof value !== 'string') return listOf(value, 'slice', budget).slice(begin, end);
      budget.spend(value.length / charsPerStep);
      budget.build(value.length);
      return value.slice(begin, end);
    }),
    concat: eager((args) => args.flatMap((list) => listOf(list, 'concat', budget))),
    flatten: eager(([list, depth]) =>
      flattened(
        listOf(list, 'flatten', budget),
        depth === undefined ? 1 : integer(depth, 'flatten', 0, maxFlatten, budget),
        budget,
        [],
      ),
    ),
    unique: eager(([list]) => {
      const seen = new Set<string>();
      return listOf(list, 'unique', budget).filter((item) => {
        const key = equalityKey(item, budget);
        return !seen.has(key) && seen.add(key);
      });
    }),
    sort_by: iterating(budget, (items, each) => sorted(items, each, budget)),
    group_by: iterating(budget, (items, each) => grouped(items, each, budget)),
    zip: eager((args) => {
      const lists = args.map((list) => listOf(list, 'zip', budget));
      const shortest = Math.min(...lists.map(({ length }) => length));
      return Array.from({ length: lists.length === 0 ? 0 : shortest }, (_, i) => lists.map((list) => list[i]));
    }),
    range: eager((args) => range(args, budget)),
  };
}
