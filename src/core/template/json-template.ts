import type { RenderContext } from '../context/context.ts';
import { isJsonObject, type Json, type JsonObject, parseJson, stringifyJson } from '../value/json.ts';
import { type Destination, escapeForm, escapeJson, textOf } from './destination.ts';
import { utf8Length } from '../value/utf8.ts';
import { defaultRenderLimits, RenderFault, type RenderLimits, type Run } from './run.ts';
import { parseTemplate } from './syntax.ts';
import { configured, type Template, TemplateBuilder, type TemplateOptions, type Writer } from './template.ts';

/** A template that renders JSON text; its `source` is the value as compact JSON. */
export type JsonTemplate = Template;

/**
 * An error within a value: the path of the string relative to the value (`.items[0].name`, or empty) and a sentence.
 */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Maximum nesting of a value whose strings are templates. */
const maxDepth = 256;

/** What a JSON value may be at its place. */
export interface JsonTemplateOptions {
  /** Whether rendering fails if the value is exactly one `{{path}}` and that path leads nowhere. */
  readonly isRequired?: boolean;
  /** The field whose value it is, for errors of renderings; default `body`. */
  readonly field?: string;
}

/**
 * Compiles a JSON value whose strings are templates. A string that consists of exactly one `{{path}}` becomes the value
 * with its own JSON type (null if missing); every other string becomes text. Keys are not templates.
 *
 * The result writes JSON text directly. No intermediate value is built, and the output limit applies during writing.
 */
export function compileJsonTemplate(
  value: Json,
  options: TemplateOptions,
  more: JsonTemplateOptions = {},
): { readonly template: JsonTemplate; readonly constants: readonly string[] } | { readonly errors: Problem[] } {
  const compiler = new JsonCompiler(options, asItIs, more);
  const template = compiler.compile(value);
  const { problems, constants } = compiler;
  return problems.length > 0 ? { errors: problems } : { template, constants };
}

/**
 * Compiles an object into `application/x-www-form-urlencoded`, one field per key, in order. Null fields are omitted.
 * Objects and arrays are encoded as JSON text; `nested` lists their paths.
 */
export function compileFormTemplate(
  fields: JsonObject,
  options: TemplateOptions,
):
  | { readonly template: Template; readonly nested: readonly string[]; readonly constants: readonly string[] }
  | { readonly errors: Problem[] } {
  const compiler = new JsonCompiler(options, escapeForm);
  const template = compiler.compileForm(fields);
  const { problems, nested, constants } = compiler;
  return problems.length > 0 ? { errors: problems } : { template, nested, constants };
}

/** Renders a template and parses the result. */
export function renderJson(
  template: JsonTemplate,
  context: RenderContext,
  limits: RenderLimits = defaultRenderLimits,
): { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string } {
  const rendered = template.render(context, limits);
  return rendered.ok ? { ok: true, value: parseJson(rendered.text) } : rendered;
}

/** Escapes a text for the surrounding format. */
type Encode = (text: string) => string;

const asItIs: Encode = (text) => text;

/**
 * A destination that escapes literal text and values alike. Raw tags are escaped too, since the result must remain one
 * string.
 */
function escaped(escape: Encode): Destination {
  return { literal: escape, boundary: () => undefined, insert: () => (value) => escape(textOf(value)) };
}

class JsonCompiler {
  readonly problems: Problem[] = [];
  /** Paths of the fields of a form whose values are objects or lists. */
  readonly nested: string[] = [];
  /** Paths of `$logic` that reads nothing. */
  readonly constants: string[] = [];
  readonly #builder: TemplateBuilder;
  readonly #encode: Encode;
  readonly #more: JsonTemplateOptions;
  /** The destination for text between the quotes of a string. */
  readonly #insideString: Destination;
  readonly #writers: Writer[] = [];
  /** Encoded literal text that is not yet part of a writer. */
  #pending = '';

  constructor(options: TemplateOptions, encode: Encode = asItIs, more: JsonTemplateOptions = {}) {
    this.#builder = new TemplateBuilder(options);
    this.#encode = encode;
    this.#more = more;
    this.#insideString = escaped(encode === asItIs ? escapeJson : (text) => encode(escapeJson(text)));
  }

  compile(value: Json): JsonTemplate {
    this.#add(value, '', 0);
    return this.#finish(value);
  }

  compileForm(fields: JsonObject): Template {
    const text = escaped(this.#encode);
    let separator = '';
    for (const [name, value] of Object.entries(fields)) {
      if (value === null) continue;
      this.#pending += `${separator}${this.#encode(name)}=`;
      separator = '&';
      const path = `.${shortened(name)}`;
      if (typeof value === 'string') this.#addText(value, text, path);
      else if (isJsonObject(value) && specialKey(value) === '$logic' && Object.keys(value).length === 1) {
        this.#flush();
        this.#gather(path, () => this.#computed(value['$logic'] as Json, path, textOf));
      } else if (Array.isArray(value) || isJsonObject(value)) {
        this.nested.push(path);
        this.#add(value, path, 0);
      } else this.#literal(textOf(value));
    }
    return this.#finish(fields);
  }

  #finish(value: Json): Template {
    this.#flush();
    const writers = this.#writers;
    const source = this.problems.length > 0 ? '' : stringifyJson(value);
    return this.#builder.finish(source, (run) => {
      run.spend(writers.length);
      for (let i = 0; i < writers.length; i++) (writers[i] as Writer)(run);
    });
  }

  #flush(): void {
    if (this.#pending === '') return;
    const text = this.#pending;
    this.#pending = '';
    const bytes = utf8Length(text);
    this.#writers.push((run) => {
      run.write(text, bytes);
    });
  }

  #literal(text: string): void {
    this.#pending += this.#encode(text);
  }

  #add(value: Json, path: string, depth: number): void {
    if (depth > maxDepth) {
      this.problems.push({ path, message: `It is nested more than ${String(maxDepth)} deep.` });
    } else if (typeof value === 'string') {
      this.#addString(value, path);
    } else if (Array.isArray(value)) {
      this.#literal('[');
      for (const [i, item] of value.entries()) {
        if (i > 0) this.#literal(',');
        this.#add(item as Json, `${path}[${String(i)}]`, depth + 1);
      }
      this.#literal(']');
    } else if (isJsonObject(value)) {
      this.#addObject(value, path, depth);
    } else {
      this.#literal(stringifyJson(value));
    }
  }

  #addObject(value: JsonObject, path: string, depth: number): void {
    const special = specialKey(value);
    if (special !== undefined) {
      this.#addSpecial(special, value, path);
      return;
    }
    this.#literal('{');
    let first = true;
    for (const [key, item] of Object.entries(value)) {
      if (!first) this.#literal(',');
      first = false;
      this.#literal(`${stringifyJson(key)}:`);
      this.#add(item, `${path}.${shortened(key)}`, depth + 1);
    }
    this.#literal('}');
  }

  /** `{ "$logic": expression }` or `{ "$literal": value }`. */
  #addSpecial(key: '$logic' | '$literal', value: JsonObject, path: string): void {
    if (Object.keys(value).length > 1) {
      const message = 'An object with the key $logic has no other key; wrap it in $literal to send it as it is.';
      this.problems.push({ path, message });
    } else if (key === '$literal') {
      this.#builder.needsSecondFormat();
      this.#literal(stringifyJson(value[key] as Json));
    } else {
      this.#flush();
      this.#gather(path, () => this.#computed(value[key] as Json, path, jsonOf));
    }
  }

  /** Inserts the value of an expression, converted to text by `write`. */
  #computed(logic: Json, path: string, write: (value: Json) => string): Writer {
    const expression = this.#builder.logic(logic);
    if (expression === undefined) return () => undefined;
    const { paths, anyNode, usesOccasion } = expression.reads;
    if (paths.length === 0 && !anyNode && !usesOccasion) this.constants.push(path);
    const encode = this.#encode;
    const place = `${this.#more.field ?? 'body'}${path}`;
    return (run: Run) => {
      const maxSteps = run.limits.maxSteps - run.spent;
      const meter = { charge: (steps: number) => run.spend(steps) };
      const result = expression.compute(run.context, { meter, stable: run.stable, maxSteps });
      if (result.ok) run.write(encode(write(result.value)));
      // With the constants of a comparison, an expression may fail that does not fail with the values that are sent.
      else if (run.stable) run.write(encode(write(result.error)));
      else throw new RenderFault(`The $logic at ${place} failed: ${result.error}`);
    };
  }

  #addString(source: string, path: string): void {
    if (!source.includes('{{')) {
      this.#literal(stringifyJson(source));
      return;
    }
    const name = onlyTag(source);
    if (name === undefined) {
      this.#literal('"');
      this.#addText(source, this.#insideString, path);
      this.#literal('"');
      return;
    }
    this.#flush();
    this.#gather(path, () => this.#typed(name, this.#more.isRequired === true && path === ''));
  }

  #addText(source: string, destination: Destination, path: string): void {
    if (source === '') return;
    this.#flush();
    this.#gather(path, () => this.#builder.add(source, destination));
  }

  /** Adds a writer and reports the errors of its creation under `path`. */
  #gather(path: string, make: () => Writer): void {
    const before = this.#builder.errors.length;
    this.#writers.push(make());
    for (const message of this.#builder.errors.slice(before)) this.problems.push({ path, message });
  }

  #typed(name: string, mustExist: boolean): Writer {
    const { read, path } = this.#builder.reader(name);
    const required = path.root === 'vars' || path.root === 'secrets';
    const encode = this.#encode;
    return (run: Run) => {
      const value = read(run);
      if (mustExist && value === undefined) throw new RenderFault(`"${name}" is missing.`);
      run.write(encode(jsonOf(required ? configured(value, name) : value)));
    };
  }
}

/** Converts a value to JSON. Avoids `JSON.stringify` for numbers, which takes a microsecond for a raw number. */
function jsonOf(value: Json | undefined): string {
  if (typeof value === 'string') return stringifyJson(value);
  return value === undefined || value === null ? 'null' : textOf(value);
}

/** The key that gives an object a meaning of its own: `$logic` beside whatever else, `$literal` alone. */
function specialKey(value: JsonObject): '$logic' | '$literal' | undefined {
  if (Object.hasOwn(value, '$logic')) return '$logic';
  return Object.hasOwn(value, '$literal') && Object.keys(value).length === 1 ? '$literal' : undefined;
}

/** Maximum number of characters of a key in error paths, since many errors may occur below one key. */
const maxShownKey = 60;

function shortened(key: string): string {
  return key.length > maxShownKey ? `${key.slice(0, maxShownKey - 1)}…` : key;
}

/** The path of a string that consists of exactly one tag; undefined for any other string. */
function onlyTag(source: string): string | undefined {
  // A string with a comment or other text around the tag is text.
  if (!source.startsWith('{{') || !source.endsWith('}}') || source.lastIndexOf('{{') > 1) return undefined;
  const parsed = parseTemplate(source);
  const node = 'nodes' in parsed && parsed.nodes.length === 1 ? parsed.nodes[0] : undefined;
  return node?.kind === 'tag' ? node.name : undefined;
}
