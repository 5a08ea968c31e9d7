import { instantFault, parseInstant } from '../value/instant.ts';
import { isJsonObject, isRawNumber, type Json, type JsonObject } from '../value/json.ts';
import { closest } from '../definition/problems.ts';
import type { Hints } from '../template/path-hints.ts';
import { keysOfPath } from '../template/path-keys.ts';
import { type Path, type PathRoot, type PathScope, resolvePath } from '../template/path.ts';
import { literalFault } from './literals.ts';
import { expressionOperators } from './operators.ts';

/** Maximum number of characters of an invalid time in an error message. */
const maxShownTime = 100;

/** Maximum nesting of operators. */
const maxDepth = 128;

/**
 * Operators that accept an array in place of their arguments, as in `{"max": {"var": "payload.amounts"}}`. For all
 * other operators, an array is the first argument.
 */
const spreading: ReadonlySet<string> = new Set([
  'max',
  'min',
  '+',
  '-',
  '*',
  '/',
  '%',
  'sum',
  'missing',
  'missing_some',
]);

/** Operators whose second argument is evaluated for each item of the first, which is the data then. */
const iterations: ReadonlySet<string> = new Set('map filter all none some reduce sort_by group_by'.split(' '));

/** The operators of the first state format; whatever uses others is left to processes that know them. */
const firstOperators: ReadonlySet<string> = new Set(
  [
    'var missing missing_some if ?: == === != !== ! !! or and ?? > >= < <= max min + - * / %',
    'map filter reduce all none some merge in cat substr length date',
  ].flatMap((names) => names.split(' ')),
);

/** Within an iteration, a path that begins with this is read from outside of all iterations. */
export const outside = '$.';

const roots: readonly PathRoot[] = ['payload', 'nodes', 'step', 'prev', 'labels', 'round', 'vars'];

/** What expressions in hooks read besides: what templates read there, but secrets, `runtime`, `attempt` and `phase`. */
const hookRoots: readonly PathRoot[] = ['sagaId', 'sagaName', 'sagaVersion', 'stepName', 'steps'];

/** The places where an expression may stand differ in what it may read. */
export interface ReadableScope {
  /** Ids of the definition's nodes. */
  readonly nodeIds: ReadonlySet<string>;
  readonly allow: {
    /** Whether `callback.body` is allowed: in conditions on callbacks. */
    readonly callback: boolean;
    /** Whether `failure.*` is allowed: in values of failure hooks. */
    readonly failure?: boolean;
    /** Whether the names of the execution and `steps` are allowed: in values of hooks. */
    readonly hook?: boolean;
  };
  /** The number of loops around the place; default 0. */
  readonly loops?: number;
  /** See `PathScope.hints`. */
  readonly hints?: Hints | undefined;
}

/** Replaces known paths by indices into a list of readers, and collects errors. */
export class ExpressionCompiler {
  readonly errors: string[] = [];
  readonly paths: Path[] = [];
  /** Item paths, split into keys; prepared conditions refer to them by index. */
  readonly items: (readonly string[])[] = [];
  readonly scope: PathScope;
  /** Numbers that a double cannot hold; prepared conditions refer to them by index. */
  readonly numbers: Json[] = [];
  /** The least state format whose processes evaluate it alike; see `State.format`. */
  format = 1;
  /** Whether a path is computed during evaluation. */
  dynamic = false;
  /** Whether `now` or `uuid` occurs. */
  usesOccasion = false;

  constructor(options: ReadableScope) {
    const allowed = new Set(roots);
    if (options.allow.callback) allowed.add('callback');
    if (options.allow.failure === true) allowed.add('failure');
    if (options.allow.hook === true) for (const root of hookRoots) allowed.add(root);
    const { nodeIds, loops = 0, hints } = options;
    this.scope = { nodeIds, roots: allowed, wholeNodes: true, loops, hints };
  }

  prepare(logic: Json, atRoot: boolean, depth: number): Json {
    if (depth > maxDepth) {
      if (depth === maxDepth + 1) this.errors.push(`The condition is nested more than ${String(maxDepth)} deep.`);
      return null;
    }
    if (Array.isArray(logic)) return logic.map((item) => this.prepare(item as Json, atRoot, depth + 1));
    if (isRawNumber(logic)) return { number: [this.numbers.push(logic) - 1] };
    if (!isJsonObject(logic)) return logic;
    const keys = Object.keys(logic);
    const [operator] = keys;
    if (operator === undefined) return logic;
    if (keys.length > 1) {
      this.errors.push(`An object of a condition has one operator, not ${keys.map((key) => `"${key}"`).join(', ')}.`);
      return null;
    }
    if (!expressionOperators.includes(operator)) {
      const meant = closest(operator, expressionOperators);
      const hint = meant === undefined ? 'the guide "Templates" lists all.' : `did you mean "${meant}"?`;
      this.errors.push(`The operator "${operator}" is not known; ${hint}`);
      return null;
    }
    if (!firstOperators.has(operator)) this.format = 2;
    return this.#operation(operator, logic[operator] as Json, atRoot, depth + 1);
  }

  #operation(operator: string, args: Json, atRoot: boolean, depth: number): JsonObject {
    if (iterations.has(operator)) return this.#iteration(operator, args, atRoot, depth);
    const fault = literalFault(operator, Array.isArray(args) ? args : [args]);
    if (fault !== undefined) this.errors.push(fault);
    switch (operator) {
      case 'var':
        return this.#variable(args, atRoot, depth);
      case 'missing':
      case 'missing_some':
        this.#checkMissing(operator, args, atRoot);
        break;
      case 'date':
        this.#checkDate(args);
        break;
      case 'now':
      case 'uuid':
        this.usesOccasion = true;
        break;
      default:
    }
    const prepared = this.prepare(args, atRoot, depth);
    return { [operator]: Array.isArray(prepared) || spreading.has(operator) ? prepared : [prepared] };
  }

  /** `{"map": [list, what to do with each item]}` and its like. */
  #iteration(operator: string, args: Json, atRoot: boolean, depth: number): JsonObject {
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

  /** `{"var": key}` or `{"var": [key, default]}`. */
  #variable(args: Json, atRoot: boolean, depth: number): JsonObject {
    const [key, otherwise] = Array.isArray(args) ? (args as readonly Json[]) : [args];
    const rest = otherwise === undefined ? [] : [this.prepare(otherwise, atRoot, depth)];
    if (typeof key === 'object' && key !== null) {
      this.dynamic = true;
      return { lookup: [this.prepare(key, atRoot, depth), ...rest] };
    }
    const text = key === undefined || key === null ? '' : String(key);
    if (!atRoot && text.startsWith(outside)) {
      this.format = 2;
      return { outer: [this.#path(text.slice(outside.length)), ...rest] };
    }
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

  #checkMissing(operator: string, args: Json, atRoot: boolean): void {
    const list = operator === 'missing_some' && Array.isArray(args) ? (args as readonly Json[])[1] : args;
    const keys = Array.isArray(list) ? (list as readonly Json[]) : [list ?? null];
    for (const key of keys) {
      if (typeof key !== 'string') this.dynamic = true;
      else if (atRoot) this.#path(key);
      else if (key.startsWith(outside)) this.#path(key.slice(outside.length));
    }
  }
}
