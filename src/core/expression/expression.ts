import { LogicEngine } from 'json-logic-engine';
import type { RenderContext } from '../context/context.ts';
import { instantFault, parseInstant } from '../value/instant.ts';
import { isJsonObject, type Json, type JsonObject, toDoubles } from '../value/json.ts';
import { keysOfPath } from '../template/path-keys.ts';
import { type Path, type PathRoot, type PathScope, type PathSource, resolvePath, walk } from '../template/path.ts';
import type { TemplatePath } from '../template/template.ts';
import { type Meter, valuesPerStep } from '../meter.ts';
import { Budget } from './budget.ts';
import { type EagerMethod, expressionOperators, methodsFor, primitive, toText, truthy } from './operators.ts';

/** What a condition may read at its place in the definition. */
export interface ExpressionOptions {
  /** Ids of the definition's nodes. */
  readonly nodeIds: ReadonlySet<string>;
  readonly allow: {
    /** Whether `callback.body` is allowed: in conditions on callbacks. */
    readonly callback: boolean;
  };
  /** Maximum number of steps of one evaluation; default 100 000. */
  readonly maxSteps?: number;
}

/** What an expression reads from the context. */
export interface ExpressionReads {
  /** All paths known at compilation. */
  readonly paths: readonly TemplatePath[];
  readonly nodeIds: ReadonlySet<string>;
  /** Whether it may read any node: `step.<index>`, `prev`, or a path computed during evaluation. */
  readonly anyNode: boolean;
  /** Whether it depends on the order of first completion. */
  readonly usesOrder: boolean;
}

/** The result of an evaluation: whether the condition holds, or an error sentence. */
export type Verdict = { readonly ok: true; readonly truthy: boolean } | { readonly ok: false; readonly error: string };

/**
 * A compiled condition in JSON Logic. Operators and paths are checked and prepared once; paths are resolved as in
 * templates and read only when the evaluation reaches them. An evaluation is synchronous, deterministic and bounded,
 * and never throws. Numbers are doubles.
 *
 * As in other JSON Logic implementations, `var` reads only the item within `map`, `filter`, `all`, `none` and `some`,
 * and only `accumulator` and `current` within `reduce`.
 *
 * Not reentrant.
 */
export interface Expression {
  /** The condition as written. */
  readonly source: Json;
  readonly reads: ExpressionReads;
  /**
   * Evaluates the condition. `callbackBody` is the value of `callback.body` in conditions on callbacks. `meter` is
   * charged for the work, also if the evaluation fails. The verdict depends only on the data.
   */
  evaluate(context: RenderContext, extra?: { readonly callbackBody?: Json; readonly meter?: Meter }): Verdict;
}

/** Maximum number of characters of an invalid time in an error message. */
const maxShownTime = 100;

/** Maximum nesting of operators. */
const maxDepth = 128;
const defaultMaxSteps = 100_000;
/** Number of keys of an item path followed per step. */
const keysPerStep = 8;
/** Maximum number of resolved dynamic paths cached per expression. */
const maxLookups = 64;
/**
 * Maximum length of a cached dynamic path. Longer ones are resolved on each use, since a cached path occupies memory as
 * long as the definition is loaded.
 */
const maxLookupLength = 256;

/**
 * Operators that accept an array in place of their arguments, as in `{"max": {"var": "payload.amounts"}}`. For all
 * other operators, an array is the first argument.
 */
const spreading: ReadonlySet<string> = new Set(['max', 'min', '+', '-', '*', '/', '%', 'missing', 'missing_some']);

const roots: readonly PathRoot[] = ['payload', 'nodes', 'step', 'prev', 'labels', 'round', 'vars'];

/** Compiles a condition, or returns all errors in it as sentences. */
export function compileExpression(
  logic: Json,
  options: ExpressionOptions,
): { readonly expression: Expression } | { readonly errors: string[] } {
  const compiler = new ExpressionCompiler(options);
  const prepared = compiler.prepare(logic, true, 0);
  if (compiler.errors.length > 0) return { errors: compiler.errors };
  return { expression: new LogicExpression(logic, prepared, compiler, options) };
}

/** Replaces known paths by indices into a list of readers, and collects errors. */
class ExpressionCompiler {
  readonly errors: string[] = [];
  readonly paths: Path[] = [];
  /** Item paths, split into keys; prepared conditions refer to them by index. */
  readonly items: (readonly string[])[] = [];
  readonly scope: PathScope;
  /** Whether a path is computed during evaluation. */
  dynamic = false;

  constructor(options: ExpressionOptions) {
    const allowed = new Set(roots);
    if (options.allow.callback) allowed.add('callback');
    this.scope = { nodeIds: options.nodeIds, roots: allowed, wholeNodes: true };
  }

  prepare(logic: Json, atRoot: boolean, depth: number): Json {
    if (depth > maxDepth) {
      if (depth === maxDepth + 1) this.errors.push(`The condition is nested more than ${String(maxDepth)} deep.`);
      return null;
    }
    if (Array.isArray(logic)) return logic.map((item) => this.prepare(item as Json, atRoot, depth + 1));
    if (!isJsonObject(logic)) return toDoubles(logic);
    const keys = Object.keys(logic);
    const [operator] = keys;
    if (operator === undefined) return logic;
    if (keys.length > 1) {
      this.errors.push(`An object of a condition has one operator, not ${keys.map((key) => `"${key}"`).join(', ')}.`);
      return null;
    }
    if (!expressionOperators.includes(operator)) {
      this.errors.push(`The operator "${operator}" is not known; known are ${expressionOperators.join(', ')}.`);
      return null;
    }
    return this.#operation(operator, logic[operator] as Json, atRoot, depth + 1);
  }

  #operation(operator: string, args: Json, atRoot: boolean, depth: number): JsonObject {
    switch (operator) {
      case 'var':
        return this.#variable(args, atRoot, depth);
      case 'missing':
      case 'missing_some':
        if (atRoot) this.#checkMissing(operator, args);
        break;
      case 'map':
      case 'filter':
      case 'all':
      case 'none':
      case 'some':
      case 'reduce': {
        if (!Array.isArray(args) || args.length < 2) {
          this.errors.push(`The operator "${operator}" takes an array and what to do with each item.`);
          return {};
        }
        const [selector, mapper, initial] = args as readonly Json[];
        const prepared = [
          this.prepare(selector ?? null, atRoot, depth),
          this.prepare(mapper ?? null, false, depth),
          ...(initial === undefined ? [] : [this.prepare(initial, atRoot, depth)]),
        ];
        return { [operator]: prepared };
      }
      case 'date':
        this.#checkDate(args);
        break;
      default:
    }
    const prepared = this.prepare(args, atRoot, depth);
    return { [operator]: Array.isArray(prepared) || spreading.has(operator) ? prepared : [prepared] };
  }

  /** `{"var": key}` or `{"var": [key, default]}`. */
  #variable(args: Json, atRoot: boolean, depth: number): JsonObject {
    const [key, otherwise] = Array.isArray(args) ? (args as readonly Json[]) : [args];
    const rest = otherwise === undefined ? [] : [this.prepare(otherwise, atRoot, depth)];
    if (typeof key === 'object' && key !== null) {
      if (atRoot) this.dynamic = true;
      return { lookup: [this.prepare(key, atRoot, depth), ...rest] };
    }
    const text = key === undefined || key === null ? '' : String(key);
    if (!atRoot) return { item: [this.items.push(this.#keysOfItem(text)) - 1, ...rest] };
    return { read: [this.#path(text), ...rest] };
  }

  /** The keys of a path within an item; empty for the item itself. */
  #keysOfItem(text: string): readonly string[] {
    const split = text === '' ? { keys: [] } : keysOfPath(text);
    if ('keys' in split) return split.keys;
    this.errors.push(`The path "${text}" ${split.error}.`);
    return [];
  }

  /** Resolves a path of the context and returns its index. */
  #path(text: string): number {
    if (text === '') {
      this.errors.push('A "var" outside of map, filter, reduce, all, none and some must name what it reads.');
      return 0;
    }
    const resolved = resolvePath(text, this.scope);
    if ('path' in resolved) return this.paths.push(resolved.path) - 1;
    this.errors.push(resolved.error);
    return 0;
  }

  /** Checks the argument of `date`; a literal time must be valid. */
  #checkDate(args: Json): void {
    const [time, ...others] = Array.isArray(args) ? (args as readonly Json[]) : [args];
    if (others.length > 0 || time === undefined) this.errors.push('The operator "date" takes one time.');
    else if (typeof time === 'string' && parseInstant(time) === undefined) {
      this.errors.push(`The operator "date" is given "${time.slice(0, maxShownTime)}", which ${instantFault(time)}.`);
    } else if (time === null || (typeof time !== 'object' && typeof time !== 'string')) {
      this.errors.push('The operator "date" takes a text like "2030-01-31T09:00:00Z".');
    }
  }

  #checkMissing(operator: string, args: Json): void {
    const list = operator === 'missing_some' && Array.isArray(args) ? (args as readonly Json[])[1] : args;
    const keys = Array.isArray(list) ? (list as readonly Json[]) : [list ?? null];
    for (const key of keys) {
      if (typeof key === 'string') this.#path(key);
      else this.dynamic = true;
    }
  }
}

class LogicExpression implements Expression {
  readonly source: Json;
  readonly reads: ExpressionReads;
  readonly #logic: Json;
  readonly #engine: LogicEngine;
  readonly #budget: Budget;
  readonly #reads: readonly Path[];
  readonly #items: readonly (readonly string[])[];
  readonly #scope: PathScope;
  readonly #lookups = new Map<string, Path | undefined>();
  /** The number of operators, charged up front as the minimum cost of an evaluation. */
  readonly #weight: number;
  /** Values of this evaluation converted to doubles, by original object. */
  #doubles: Map<object, Json> | undefined;

  constructor(source: Json, logic: Json, compiler: ExpressionCompiler, options: ExpressionOptions) {
    const { paths } = compiler;
    this.source = source;
    this.reads = {
      paths: paths.map(({ read: _read, ...facts }) => facts),
      nodeIds: new Set(paths.flatMap((path) => path.nodeId ?? [])),
      anyNode: compiler.dynamic || paths.some((path) => path.anyNode),
      usesOrder: compiler.dynamic || paths.some((path) => path.usesOrder),
    };
    this.#logic = logic;
    this.#reads = paths;
    this.#items = compiler.items;
    this.#scope = compiler.scope;
    this.#weight = operatorsOf(logic);
    this.#budget = new Budget(options.maxSteps ?? defaultMaxSteps);
    const methods = methodsFor(this.#budget);
    methods['read'] = this.#method((args, data) => this.#read(this.#reads[args[0] as number], data));
    methods['item'] = this.#method((args, data) => this.#walk(data as Json, this.#items[args[0] as number] ?? []));
    methods['lookup'] = this.#method((args, data) => this.#lookup(args[0], data));
    methods['missing'] = this.#missing((args) => (Array.isArray(args[0]) ? (args[0] as unknown[]) : args), 1);
    methods['missing_some'] = this.#missing((args) => (Array.isArray(args[1]) ? (args[1] as unknown[]) : [args[1]]));
    // A separate engine per expression: engines cache prepared logic, and stop preparing after many cache misses.
    this.#engine = new LogicEngine(methods, { disableInline: true });
    this.#engine.truthy = truthy;
  }

  evaluate(context: RenderContext, extra?: { readonly callbackBody?: Json; readonly meter?: Meter }): Verdict {
    const source: PathSource = {
      context,
      stable: false,
      callbackBody: extra?.callbackBody,
      secret: () => undefined,
      spend: this.#spend,
    };
    const budget = this.#budget;
    budget.reset();
    try {
      budget.spend(this.#weight);
      return { ok: true, truthy: truthy(this.#engine.run(this.#logic, new Data(source)) as unknown) };
    } catch (error) {
      return { ok: false, error: sentenceOf(error) };
    } finally {
      this.#doubles = undefined;
      extra?.meter?.charge(budget.steps, budget.bytes);
    }
  }

  readonly #spend = (steps: number): void => {
    this.#budget.spend(steps);
  };

  readonly #converted = (values: number): void => {
    this.#budget.spend(values / valuesPerStep);
  };

  /** The value at the end of a path within an item. */
  #walk(value: Json, keys: readonly string[]): Json | undefined {
    this.#budget.spend(keys.length / keysPerStep);
    return walk(value, keys, 0);
  }

  /** A method that returns the value it reads, the second argument if that is missing, or else null. */
  #method(read: (args: readonly unknown[], data: unknown) => Json | undefined): EagerMethod {
    return {
      method: (args, data) => {
        const list = args as readonly unknown[];
        const value = read(list, data);
        return value === undefined ? (list[1] ?? null) : value;
      },
      deterministic: false,
    };
  }

  /**
   * `missing` returns the paths whose value is missing, null or empty; `missing_some` does so only if too few are
   * present.
   */
  #missing(pathsOf: (args: readonly unknown[]) => readonly unknown[], all?: number): EagerMethod {
    return {
      method: (args, data) => {
        const list = Array.isArray(args) ? (args as readonly unknown[]) : [args];
        const keys = pathsOf(list);
        this.#budget.spend(keys.length);
        const missing = keys.filter((key) => {
          const value = this.#lookup(key, data);
          return value === undefined || value === null || value === '';
        });
        return all === undefined && keys.length - missing.length >= Number(primitive(list[0], this.#budget))
          ? []
          : missing;
      },
      deterministic: false,
    };
  }

  #lookup(key: unknown, data: unknown): Json | undefined {
    const text = toText(key, this.#budget);
    if (!(data instanceof Data)) {
      const split = text === '' ? { keys: [] } : keysOfPath(text);
      return 'keys' in split ? this.#walk(data as Json, split.keys) : undefined;
    }
    let path = this.#lookups.get(text);
    if (path === undefined && !this.#lookups.has(text)) {
      const resolved = resolvePath(text, this.#scope);
      path = 'path' in resolved ? resolved.path : undefined;
      if (this.#lookups.size >= maxLookups) this.#lookups.clear();
      if (text.length <= maxLookupLength) this.#lookups.set(text, path);
    }
    return this.#read(path, data);
  }

  #read(path: Path | undefined, data: unknown): Json | undefined {
    if (!(data instanceof Data)) return undefined;
    const value = path?.read(data.source);
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#doubles?.get(value);
    if (known !== undefined) return known;
    const converted = toDoubles(value, this.#converted);
    (this.#doubles ??= new Map<object, Json>()).set(value, converted);
    return converted;
  }
}

/** The number of operators in a prepared condition. */
function operatorsOf(logic: Json): number {
  if (typeof logic !== 'object' || logic === null) return 0;
  let count = Array.isArray(logic) ? 0 : 1;
  for (const part of Object.values(logic) as Json[]) count += operatorsOf(part);
  return count;
}

/** The data object that the engine passes around outside of iterations. */
class Data {
  readonly source: PathSource;

  constructor(source: PathSource) {
    this.source = source;
  }
}

/** Converts an error of the engine to a sentence. The engine throws errors, NaN, and objects with a `type`. */
function sentenceOf(error: unknown): string {
  if (error instanceof RangeError) return 'The condition is nested too deep or builds too large a text.';
  if (error instanceof TypeError) return 'An operator of the condition was given a value that it cannot work with.';
  if (error instanceof Error) return error.message;
  if (typeof error === 'number') return 'An operator of the condition needs a number and was given something else.';
  if (typeof error === 'object' && error !== null && 'type' in error)
    return `The condition failed: ${String(error.type)}.`;
  return 'The condition failed.';
}
