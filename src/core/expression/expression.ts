import { LogicEngine } from 'json-logic-engine';
import { v5 } from 'uuid';
import type { Occasion, RenderContext } from '../context/context.ts';
import type { Json } from '../value/json.ts';
import { keysOfPath } from '../template/path-keys.ts';
import { type Path, type PathScope, resolvePath, type TemplatePath } from '../template/path.ts';
import { type PathSource, walk } from '../template/path-source.ts';
import { charsPerStep, type Meter } from '../meter.ts';
import { Budget } from './budget.ts';
import { instantText } from './operators/dates.ts';
import { textOf } from './operators/texts.ts';
import { methodsFor } from './operators.ts';
import { doubleOf, toText, truthy } from './operators/compare.ts';
import { chargeDocument } from './operators/documents.ts';
import type { Method } from './operators/method.ts';
import { ExpressionCompiler, outside, type ReadableScope } from './prepare.ts';

/** What a condition may read at its place in the definition. */
export interface ExpressionOptions extends ReadableScope {
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
  /** Whether it reads the visit itself, with `now` or `uuid`: such values are constants in two requests that are compared. */
  readonly usesOccasion: boolean;
}

/** The result of a computation: its value, or an error sentence. */
export type Computed = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string };

/** The result of an evaluation: whether the condition holds, or an error sentence. */
export type Verdict = { readonly ok: true; readonly truthy: boolean } | { readonly ok: false; readonly error: string };

/**
 * A compiled condition in JSON Logic. Operators and paths are checked and prepared once; paths are resolved as in
 * templates and read only when the evaluation reaches them. An evaluation is synchronous, deterministic and bounded,
 * and never throws. Numbers are exact decimals (see `decimal.ts`).
 *
 * As in other JSON Logic implementations, `var` reads only the item within `map`, `filter`, `all`, `none` and `some`,
 * and only `accumulator` and `current` within `reduce`. A path that begins with `$.` is read from outside of all iterations.
 *
 * Not reentrant.
 */
export interface Expression {
  /** The condition as written. */
  readonly source: Json;
  readonly reads: ExpressionReads;
  /** The least state format whose processes evaluate it alike; see `State.format`. */
  readonly format: number;
  /**
   * Evaluates the condition. `callbackBody` is the value of `callback.body` in conditions on callbacks. `meter` is
   * charged for the work, also if the evaluation fails. The verdict depends only on the data.
   */
  evaluate(context: RenderContext, extra?: { readonly callbackBody?: Json; readonly meter?: Meter }): Verdict;
  /**
   * The value of the expression; a missing one is null. Its size as JSON is charged, so that it can be written in time and
   * space bounded as the evaluation is. Otherwise as {@link evaluate}.
   */
  compute(context: RenderContext, extra?: ComputeExtra): Computed;
}

/** Conditions of a computation. */
export interface ComputeExtra {
  readonly meter?: Meter;
  /** Whether `round` is replaced by a constant, as in two requests that are compared. */
  readonly stable?: boolean;
  /** Steps that it may take, if that is less than its own limit. */
  readonly maxSteps?: number;
}

type Extra = ComputeExtra & { readonly callbackBody?: Json };

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

/** Cost of `now` and `uuid`, in steps. */
const stepsPerOccasion = 20;

/** The namespace of the identifiers that `uuid` makes. */
const namespace = '7b5f2c1e-5a1d-4c0e-9a0b-6d1f0f6a3c52';

function occasionIn(source: PathSource | undefined, operator: string): Occasion {
  const occasion = source?.context.occasion;
  if (occasion === undefined) throw new Error(`The operator "${operator}" stands where there is no visit.`);
  return occasion;
}

class LogicExpression implements Expression {
  readonly source: Json;
  readonly reads: ExpressionReads;
  readonly format: number;
  readonly #logic: Json;
  readonly #engine: LogicEngine;
  readonly #budget: Budget;
  readonly #reads: readonly Path[];
  readonly #items: readonly (readonly string[])[];
  readonly #scope: PathScope;
  readonly #lookups = new Map<string, Path | undefined>();
  /** The number of operators, charged up front as the minimum cost of an evaluation. */
  readonly #weight: number;
  /** The data of the present evaluation, for what iterations read from outside. */
  #data: Data | undefined;
  /** Masks what the present computation reads. */
  #mask: RenderContext['maskJson'];

  constructor(source: Json, logic: Json, compiler: ExpressionCompiler, options: ExpressionOptions) {
    const { paths } = compiler;
    this.source = source;
    this.reads = {
      paths: paths.map(({ read: _read, ...facts }) => facts),
      nodeIds: new Set(paths.flatMap((path) => path.nodeId ?? [])),
      anyNode: compiler.dynamic || paths.some((path) => path.anyNode),
      usesOrder: compiler.dynamic || paths.some((path) => path.usesOrder),
      usesOccasion: compiler.usesOccasion,
    };
    this.format = compiler.format;
    this.#logic = logic;
    this.#reads = paths;
    this.#items = compiler.items;
    this.#scope = compiler.scope;
    const operators = operatorsOf(logic);
    this.#weight = operators.length;
    this.#budget = new Budget(options.maxSteps ?? defaultMaxSteps);
    const methods = methodsFor(this.#budget);
    methods['read'] = this.#method((args, data) => this.#read(this.#reads[args[0] as number], data));
    methods['outer'] = this.#method((args) => this.#read(this.#reads[args[0] as number], this.#data));
    methods['now'] = this.#method(() => this.#now());
    methods['uuid'] = this.#method((args) => this.#uuid(args[0]));
    methods['number'] = this.#method((args) => compiler.numbers[args[0] as number]);
    methods['item'] = this.#method((args, data) => this.#walk(data as Json, this.#items[args[0] as number] ?? []));
    methods['lookup'] = this.#method((args, data) => this.#lookup(args[0], data));
    methods['missing'] = this.#missing((args) => (Array.isArray(args[0]) ? (args[0] as unknown[]) : args), 1);
    methods['missing_some'] = this.#missing((args) => (Array.isArray(args[1]) ? (args[1] as unknown[]) : [args[1]]));
    // A separate engine per expression: engines cache prepared logic, and stop preparing after many cache misses.
    this.#engine = new LogicEngine(picked(methods, operators), { disableInline: true });
    this.#engine.truthy = truthy;
  }

  evaluate(context: RenderContext, extra?: { readonly callbackBody?: Json; readonly meter?: Meter }): Verdict {
    const result = this.#run(context, extra, truthy);
    return result.ok ? { ok: true, truthy: result.value } : result;
  }

  compute(context: RenderContext, extra?: ComputeExtra): Computed {
    this.#mask = context.maskJson;
    try {
      return this.#run(context, extra, (value) => {
        chargeDocument(value, this.#budget);
        return (value ?? null) as Json;
      });
    } finally {
      this.#mask = undefined;
    }
  }

  #run<T>(
    context: RenderContext,
    extra: Extra | undefined,
    use: (value: unknown) => T,
  ): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string } {
    const source: PathSource = {
      context,
      stable: extra?.stable === true,
      callbackBody: extra?.callbackBody,
      secret: () => undefined,
      spend: this.#spend,
    };
    const budget = this.#budget;
    budget.reset(extra?.maxSteps);
    this.#data = new Data(source);
    try {
      budget.spend(this.#weight);
      return { ok: true, value: use(this.#engine.run(this.#logic, this.#data) as unknown) };
    } catch (error) {
      return { ok: false, error: sentenceOf(error) };
    } finally {
      this.#data = undefined;
      extra?.meter?.charge(budget.steps, budget.bytes);
    }
  }

  readonly #spend = (steps: number): void => {
    this.#budget.spend(steps);
  };

  /** When the visit began, as text; a constant in two requests that are compared. */
  #now(): string {
    this.#budget.spend(stepsPerOccasion);
    const source = this.#data?.source;
    return instantText(source?.stable === true ? 0 : occasionIn(source, 'now').at, 'now');
  }

  /** The identifier of the visit with a name (UUID version 5); a constant in two requests that are compared. */
  #uuid(name: unknown): string {
    this.#budget.spend(stepsPerOccasion);
    const text = name === undefined || name === null ? '' : textOf(name, 'uuid', this.#budget);
    this.#budget.spend(text.length / charsPerStep);
    const source = this.#data?.source;
    if (source?.stable === true) return `00000000-0000-0000-0000-000000000000 ${text}`;
    return v5(`${occasionIn(source, 'uuid').key} ${text}`, namespace);
  }

  /** The value at the end of a path within an item. */
  #walk(value: Json, keys: readonly string[]): Json | undefined {
    this.#budget.spend(keys.length / keysPerStep);
    return walk(value, keys, 0);
  }

  /** A method that returns the value it reads, the second argument if that is missing, or else null. */
  #method(read: (args: readonly unknown[], data: unknown) => Json | undefined): Method {
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
  #missing(pathsOf: (args: readonly unknown[]) => readonly unknown[], all?: number): Method {
    return {
      method: (args, data) => {
        const list = Array.isArray(args) ? (args as readonly unknown[]) : [args];
        const keys = pathsOf(list);
        this.#budget.spend(keys.length);
        const missing = keys.filter((key) => {
          const value = this.#lookup(key, data);
          return value === undefined || value === null || value === '';
        });
        return all === undefined && keys.length - missing.length >= doubleOf(list[0], this.#budget) ? [] : missing;
      },
      deterministic: false,
    };
  }

  #lookup(key: unknown, data: unknown): Json | undefined {
    const written = toText(key, this.#budget);
    const isOuter = !(data instanceof Data) && written.startsWith(outside);
    if (!(data instanceof Data) && !isOuter) {
      const split = written === '' ? { keys: [] } : keysOfPath(written);
      return 'keys' in split ? this.#walk(data as Json, split.keys) : undefined;
    }
    const text = isOuter ? written.slice(outside.length) : written;
    let path = this.#lookups.get(text);
    if (path === undefined && !this.#lookups.has(text)) {
      const resolved = resolvePath(text, this.#scope);
      path = 'path' in resolved ? resolved.path : undefined;
      if (this.#lookups.size >= maxLookups) this.#lookups.clear();
      if (text.length <= maxLookupLength) this.#lookups.set(text, path);
    }
    return this.#read(path, this.#data);
  }

  #read(path: Path | undefined, data: unknown): Json | undefined {
    if (!(data instanceof Data)) return undefined;
    const value = path?.read(data.source);
    if (value === undefined || this.#mask === undefined) return value;
    chargeDocument(value, this.#budget);
    return this.#mask(value);
  }
}

/**
 * The methods that an expression uses; all of them would take twice the memory of the rest. A function of its own, since a closure
 * in the constructor would keep them all.
 */
function picked(methods: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  // The engine's optimizer looks at `if` where it meets `?:`.
  const used: Record<string, unknown> = { if: methods['if'] };
  for (const name of names) used[name] = methods[name];
  return used;
}

/** The operators of a prepared condition, with repetitions. */
function operatorsOf(logic: Json): readonly string[] {
  if (typeof logic !== 'object' || logic === null) return [];
  const within = (Object.values(logic) as Json[]).flatMap((part) => operatorsOf(part));
  return Array.isArray(logic) ? within : [...Object.keys(logic), ...within];
}

/** The data object that the engine passes around outside of iterations. */
class Data {
  readonly source: PathSource;

  constructor(source: PathSource) {
    this.source = source;
  }
}

/** Converts an error of the engine to a sentence. The engine throws errors and objects with a `type`. */
function sentenceOf(error: unknown): string {
  if (error instanceof RangeError) return 'The condition is nested too deep or builds too large a text.';
  if (error instanceof TypeError) return 'An operator of the condition was given a value that it cannot work with.';
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'type' in error)
    return `The condition failed: ${String(error.type)}.`;
  return 'The condition failed.';
}
