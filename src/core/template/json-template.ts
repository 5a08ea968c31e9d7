/**
 * JSON values whose strings are templates. A string that is exactly one `{{path}}` takes the value's own JSON type (null
 * when it is missing); any other is text. Keys are not templates.
 *
 * Such a value is compiled into one template that writes JSON text at once: no value is built in between, and the bound
 * on the output holds while it is written, not after.
 */
import type { RenderContext } from '../context.ts';
import { isJsonObject, type Json, type JsonObject, parseJson, stringifyJson } from '../json.ts';
import { type Destination, escapeJson, textOf } from './destination.ts';
import { defaultRenderLimits, type RenderLimits, type Run, utf8Length } from './run.ts';
import { parseTemplate } from './syntax.ts';
import { configured, type Template, TemplateBuilder, type TemplateOptions, type Writer } from './template.ts';

/** A template that renders JSON text; its `source` is the value as compact JSON. */
export type JsonTemplate = Template;

/** An error within a value: the path of the string from there (`.items[0].name`, or empty) and a sentence. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Deepest nesting of a value whose strings are templates. */
const maxDepth = 256;

/** Compiles a value. */
export function compileJsonTemplate(
  value: Json,
  options: TemplateOptions,
): { readonly template: JsonTemplate } | { readonly errors: Problem[] } {
  const compiler = new JsonCompiler(options);
  const template = compiler.compile(value);
  return compiler.problems.length > 0 ? { errors: compiler.problems } : { template };
}

/** Renders a value. */
export function renderJson(
  template: JsonTemplate,
  context: RenderContext,
  limits: RenderLimits = defaultRenderLimits,
): { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string } {
  const rendered = template.render(context, limits);
  return rendered.ok ? { ok: true, value: parseJson(rendered.text) } : rendered;
}

/** Between the quotes of a string that is text: raw means nothing here, since the string must stay one. */
const insideString: Destination = {
  literal: escapeJson,
  boundary: () => undefined,
  insert: () => (value) => escapeJson(textOf(value)),
};

class JsonCompiler {
  readonly problems: Problem[] = [];
  readonly #builder: TemplateBuilder;
  readonly #writers: Writer[] = [];
  /** Literal JSON text that no writer holds yet. */
  #pending = '';

  constructor(options: TemplateOptions) {
    this.#builder = new TemplateBuilder(options);
  }

  compile(value: Json): JsonTemplate {
    this.#add(value, '', 0);
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

  #add(value: Json, path: string, depth: number): void {
    if (depth > maxDepth) {
      this.problems.push({ path, message: `It is nested more than ${String(maxDepth)} deep.` });
    } else if (typeof value === 'string') {
      this.#addString(value, path);
    } else if (Array.isArray(value)) {
      this.#pending += '[';
      for (const [i, item] of value.entries()) {
        if (i > 0) this.#pending += ',';
        this.#add(item as Json, `${path}[${String(i)}]`, depth + 1);
      }
      this.#pending += ']';
    } else if (isJsonObject(value)) {
      this.#addObject(value, path, depth);
    } else {
      this.#pending += stringifyJson(value);
    }
  }

  #addObject(value: JsonObject, path: string, depth: number): void {
    this.#pending += '{';
    let first = true;
    for (const [key, item] of Object.entries(value)) {
      if (!first) this.#pending += ',';
      first = false;
      this.#pending += `${stringifyJson(key)}:`;
      this.#add(item, `${path}.${shortened(key)}`, depth + 1);
    }
    this.#pending += '}';
  }

  #addString(source: string, path: string): void {
    if (!source.includes('{{')) {
      this.#pending += stringifyJson(source);
      return;
    }
    const before = this.#builder.errors.length;
    const name = onlyTag(source);
    if (name === undefined) {
      this.#pending += '"';
      this.#flush();
      this.#writers.push(this.#builder.add(source, insideString));
      this.#pending += '"';
    } else {
      this.#flush();
      this.#writers.push(this.#typed(name));
    }
    for (const message of this.#builder.errors.slice(before)) this.problems.push({ path, message });
  }

  #typed(name: string): Writer {
    const { read, path } = this.#builder.reader(name);
    const required = path.root === 'vars' || path.root === 'secrets';
    return (run: Run) => {
      const value = read(run);
      run.write(jsonOf(required ? configured(value, name) : value));
    };
  }
}

/** A value as JSON. Numbers are not left to `JSON.stringify`, which takes a microsecond for one kept by its digits. */
function jsonOf(value: Json | undefined): string {
  if (typeof value === 'string') return stringifyJson(value);
  return value === undefined || value === null ? 'null' : textOf(value);
}

/** Characters of a key that the path of an error shows: what stands under one key may have many errors. */
const maxShownKey = 60;

function shortened(key: string): string {
  return key.length > maxShownKey ? `${key.slice(0, maxShownKey - 1)}…` : key;
}

/** The path of a string that is exactly one tag. */
function onlyTag(source: string): string | undefined {
  // One that begins with a comment or is followed by anything is text.
  if (!source.startsWith('{{') || !source.endsWith('}}') || source.lastIndexOf('{{') > 1) return undefined;
  const parsed = parseTemplate(source);
  const node = 'nodes' in parsed && parsed.nodes.length === 1 ? parsed.nodes[0] : undefined;
  return node?.kind === 'tag' ? node.name : undefined;
}
