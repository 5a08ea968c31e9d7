import type { RenderContext } from '../context/context.ts';
import { compileExpression, type Expression } from '../expression/expression.ts';
import { isRawNumber, type Json } from '../value/json.ts';
import { type Destination, destinationOf, type DestinationKind } from './destination.ts';
import type { Hints } from './path-hints.ts';
import { keysOfPath } from './path-keys.ts';
import { type PathRoot, type PathScope, resolvePath, type TemplatePath } from './path.ts';
import { type PathReader, walk } from './path-source.ts';
import { type Meter, readCharsPerStep } from '../meter.ts';
import { utf8Length } from '../value/utf8.ts';
import { defaultRenderLimits, ofTemplate, RenderFault, type RenderLimits, Run } from './run.ts';
import { parseTemplate, type Syntax } from './syntax.ts';

/** What a template may contain at its place in the definition. */
export interface TemplateOptions {
  /** Ids of the definition's nodes. */
  readonly nodeIds: ReadonlySet<string>;
  readonly allow: {
    /** Whether `runtime.*` is allowed: in requests of async nodes. */
    readonly callback: boolean;
    /** Whether `failure.*` is allowed: in failure hooks. */
    readonly failure: boolean;
    /** Whether `secrets.*` is allowed; default true. Not where the result is stored. */
    readonly secrets?: boolean;
    /** Whether it is a hook, whose expressions read more than others; default false. */
    readonly hook?: boolean;
  };
  /** The number of loops around the place; default 0. */
  readonly loops?: number;
  /** See `PathScope.hints`. */
  readonly hints?: Hints | undefined;
  /** Default limits of its renderings. */
  readonly limits?: RenderLimits;
}

/**
 * A compiled template. Syntax, paths and the escaping of each value are resolved at compilation; rendering only runs
 * closures.
 *
 * A section is omitted for missing, null, false, 0, the empty string and the empty array, as in Mustache.js. It is
 * rendered once for `true`, once per item for an array, and once for any other value, with that value as its item.
 * Within a section, the first part of a path is looked up in the items, innermost first, then in the context. `vars`,
 * `secrets` and `runtime` always refer to Trama's own values, so data cannot shadow them.
 *
 * Immutable.
 */
export interface Template {
  /** The source as written. */
  readonly source: string;
  /** All paths in order of occurrence, including repeated ones. */
  readonly paths: readonly TemplatePath[];
  /** Whether the template has neither tags nor sections. */
  readonly constant: boolean;
  /** Whether the template reads `runtime.*`, `round`, `attempt`, an idempotency key, `now` or `uuid`. */
  readonly volatile: boolean;
  /** Whether an expression in it reads `now` or `uuid`. */
  readonly usesOccasion: boolean;
  /** Whether the template needs the order of first completion: `steps`, `step.<index>`, the index of a step. */
  readonly usesOrder: boolean;
  readonly usesSecrets: boolean;
  /** The number of `$logic` expressions in it. */
  readonly expressions: number;
  /** The least state format whose processes render it alike; see `State.format`. */
  readonly format: number;
  /**
   * Renders the template. `meter` is charged for the work, also if rendering fails. Throws only errors of the context.
   */
  render(context: RenderContext, limits?: RenderLimits, meter?: Meter): Rendered;
  /** Renders the template into a run. Throws a {@link RenderFault}. */
  write(run: Run): void;
}

/** The result of a rendering: the text, or an error sentence. */
export type Rendered = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string };

/** A compiled template, or all errors in it as sentences. */
export type Compiled = { readonly template: Template } | { readonly errors: string[] };

/** Compiles a template; `destination` determines how values are escaped. `text` writes them unescaped. */
export function compileTemplate(
  source: string,
  options: TemplateOptions,
  destination: DestinationKind | Destination = 'text',
): Compiled {
  const builder = new TemplateBuilder(options);
  const write = builder.add(source, typeof destination === 'string' ? destinationOf(destination) : destination);
  return builder.errors.length > 0 ? { errors: builder.errors } : { template: builder.finish(source, write) };
}

/** Writes a part of a template into a run. */
export type Writer = (run: Run) => void;

const commonRoots: readonly PathRoot[] = [
  'payload',
  'labels',
  'vars',
  'secrets',
  'sagaId',
  'sagaName',
  'sagaVersion',
  'stepName',
  'phase',
  'attempt',
  'round',
  'nodes',
  'step',
  'steps',
  'prev',
];

/** Roots that items of a section cannot shadow. */
const ownRoots: ReadonlySet<string> = new Set(['vars', 'secrets', 'runtime']);

/** Stands for a path that is known only when its expression is evaluated. */
export const computedPath: TemplatePath = {
  text: '',
  root: 'steps',
  anyNode: true,
  usesOrder: true,
  volatile: true,
  fromData: true,
};

/** Collects the parts of one template, which may consist of several texts, with their paths and errors. */
export class TemplateBuilder {
  readonly errors: string[] = [];
  readonly #scope: PathScope;
  readonly #paths: TemplatePath[] = [];
  #constant = true;
  #expressions = 0;
  #usesOccasion = false;
  #format = 1;
  readonly #limits: RenderLimits;
  readonly #options: TemplateOptions;

  constructor(options: TemplateOptions) {
    this.#options = options;
    const roots = new Set(commonRoots);
    if (options.allow.callback) roots.add('runtime');
    if (options.allow.failure) roots.add('failure');
    if (options.allow.secrets === false) roots.delete('secrets');
    const { nodeIds, loops = 0, hints } = options;
    this.#scope = { nodeIds, roots, wholeNodes: false, loops, hints };
    this.#limits = options.limits ?? defaultRenderLimits;
  }

  /** Compiles a text. Adds its errors to {@link errors}. */
  add(source: string, destination: Destination): Writer {
    const parsed = parseTemplate(source);
    if ('nodes' in parsed) return this.#sequence(parsed.nodes, destination, 0);
    this.errors.push(...parsed.errors);
    return () => undefined;
  }

  /** Creates the reader of a single path outside of any text. */
  reader(name: string): { readonly read: PathReader; readonly path: TemplatePath } {
    this.#constant = false;
    return this.#resolve(name, 0);
  }

  /** Compiles a JSON Logic expression, whose value is inserted. Adds its errors to {@link errors}. */
  logic(logic: Json): Expression | undefined {
    const { nodeIds, allow, loops = 0, hints } = this.#options;
    const within = { callback: false, failure: allow.failure, hook: allow.hook === true };
    const { maxSteps } = this.#limits;
    const compiled = compileExpression(logic, { nodeIds, loops, allow: within, maxSteps, hints });
    if ('errors' in compiled) {
      this.errors.push(...compiled.errors);
      return undefined;
    }
    const { expression } = compiled;
    const { paths, anyNode, usesOccasion } = expression.reads;
    this.#usesOccasion ||= usesOccasion;
    this.#constant = false;
    this.#expressions++;
    this.#format = 2;
    this.#paths.push(...paths);
    if (anyNode && !paths.some((path) => path.anyNode)) this.#paths.push(computedPath);
    return expression;
  }

  /** Marks that the template needs processes of the second state format. */
  needsSecondFormat(): void {
    this.#format = 2;
  }

  /** Builds the template from all added parts; `write` renders it. */
  finish(source: string, write: Writer): Template {
    const paths = this.#paths;
    return {
      source,
      paths,
      constant: this.#constant,
      volatile: this.#usesOccasion || paths.some((path) => path.volatile),
      usesOccasion: this.#usesOccasion,
      usesOrder: paths.some((path) => path.usesOrder),
      usesSecrets: paths.some((path) => path.root === 'secrets'),
      expressions: this.#expressions,
      format: this.#format,
      render: (context, limits = this.#limits, meter) => render(write, context, limits, meter),
      write,
    };
  }

  #sequence(nodes: readonly Syntax[], destination: Destination, depth: number): Writer {
    const writers = nodes.map((node) => this.#writer(node, destination, depth));
    const [only] = writers;
    const { length } = writers;
    if (length === 1 && only !== undefined) {
      return (run) => {
        run.spend(1);
        only(run);
      };
    }
    return (run) => {
      run.spend(length);
      for (let i = 0; i < length; i++) (writers[i] as Writer)(run);
    };
  }

  #writer(node: Syntax, destination: Destination, depth: number): Writer {
    switch (node.kind) {
      case 'text': {
        const text = destination.literal(node.text);
        const bytes = utf8Length(text);
        return (run) => {
          run.write(text, bytes);
        };
      }
      case 'tag': {
        this.#constant = false;
        const { read, path } = this.#resolve(node.name, depth);
        // A callback token is as sensitive as a secret while the node waits.
        const secret = path.root === 'secrets' || (path.root === 'runtime' && path.field === 'token');
        const insert = destination.insert({ text: node.name, raw: node.raw, fromData: path.fromData, secret });
        if (path.root === 'vars' || path.root === 'secrets') {
          return (run) => {
            run.write(insert(configured(read(run), node.name), run));
          };
        }
        return (run) => {
          run.write(insert(read(run), run));
        };
      }
      case 'section': {
        this.#constant = false;
        const { read } = this.#resolve(node.name, depth);
        destination.boundary();
        const body = this.#sequence(node.children, destination, node.inverted ? depth : depth + 1);
        destination.boundary();
        return node.inverted ? inverted(read, body) : section(read, body);
      }
    }
  }

  #resolve(name: string, depth: number): { read: PathReader; path: TemplatePath } {
    const item: TemplatePath = {
      text: name,
      root: 'section',
      anyNode: false,
      usesOrder: false,
      volatile: false,
      fromData: true,
    };
    if (name === '.') {
      if (depth === 0) this.errors.push('The tag {{.}} stands outside of every section.');
      this.#paths.push(item);
      return { read: currentItem, path: item };
    }
    const resolved = resolvePath(name, this.#scope);
    const split = keysOfPath(name);
    const keys = 'keys' in split ? split.keys : name.split('.');
    const first = keys[0] ?? '';
    if ('error' in resolved) {
      // Invalid path syntax is an error for item names too.
      if (depth > 0 && 'error' in split) this.errors.push(resolved.error);
      // Within a section, an unknown name may be a field of an item. `nodes` is excluded so that misspelled ids are
      // found there too.
      else if (depth === 0 || first === 'nodes' || ownRoots.has(first)) this.errors.push(resolved.error);
      this.#paths.push(item);
      return { read: itemReader(keys, undefined), path: item };
    }
    const { read, ...facts } = resolved.path;
    if (depth === 0 || ownRoots.has(facts.root)) {
      this.#paths.push(facts);
      return { read, path: facts };
    }
    const path: TemplatePath = { ...facts, fromData: true };
    this.#paths.push(path);
    return { read: itemReader(keys, read), path };
  }
}

function render(write: Writer, context: RenderContext, limits: RenderLimits, meter: Meter | undefined): Rendered {
  const run = new Run(context, limits, ofTemplate);
  try {
    write(run);
  } catch (error) {
    if (error instanceof RenderFault) return { ok: false, error: error.message };
    throw error;
  } finally {
    meter?.charge(run.spent, run.bytes);
  }
  return { ok: true, text: run.out };
}

/** Returns the value of a variable or secret. Throws a {@link RenderFault} if it is not configured. */
export function configured(value: Json | undefined, path: string): Json {
  if (value !== undefined) return value;
  throw new RenderFault(`"${path}" is not configured.`);
}

/** Readers of templates always receive a {@link Run}. */
const currentItem: PathReader = (source) => (source as Run).items.at(-1);

/** Number of items searched for a name per step. */
const itemsPerStep = 8;

function itemReader(keys: readonly string[], otherwise: PathReader | undefined): PathReader {
  const first = keys[0] ?? '';
  return (source) => {
    const { items } = source as Run;
    source.spend(items.length / itemsPerStep);
    for (let i = items.length - 1; i >= 0; i--) {
      const item = items[i];
      if (typeof item === 'object' && item !== null && Object.hasOwn(item, first)) return walk(item, keys, 0);
    }
    return otherwise?.(source);
  };
}

function isFalsy(value: Json | undefined, run: Run): boolean {
  if (typeof value !== 'object' || value === null) return !(value ?? false);
  if (Array.isArray(value)) return value.length === 0;
  if (!isRawNumber(value)) return false;
  run.spend(value.rawJSON.length / readCharsPerStep);
  return Number(value.rawJSON) === 0;
}

function section(read: PathReader, body: Writer): Writer {
  return (run) => {
    const value = read(run);
    if (value === undefined || isFalsy(value, run)) return;
    if (value === true) {
      body(run);
      return;
    }
    if (!Array.isArray(value)) {
      run.items.push(value);
      body(run);
      run.items.pop();
      return;
    }
    const list = value as readonly Json[];
    for (let i = 0; i < list.length; i++) {
      run.spend(1);
      run.items.push(list[i] as Json);
      body(run);
      run.items.pop();
    }
  };
}

function inverted(read: PathReader, body: Writer): Writer {
  return (run) => {
    if (isFalsy(read(run), run)) body(run);
  };
}
