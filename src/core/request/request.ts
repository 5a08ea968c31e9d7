import { isJsonObject, isRawNumber, type Json, type JsonObject, ownProperty } from '../value/json.ts';
import { isJson, notJson } from '../value/json-fault.ts';
import { utf8Length } from '../value/utf8.ts';
import { type DestinationKind, isHeaderValue } from '../template/destination.ts';
import { compileFormTemplate, compileJsonTemplate, type Problem } from '../template/json-template.ts';
import { defaultRenderLimits, type RenderLimits } from '../template/run.ts';
import { parseTemplate, type Syntax } from '../template/syntax.ts';
import { templateText } from '../template/template-text.ts';
import { compileTemplate, type Template, type TemplateOptions } from '../template/template.ts';
import { secretInAuthority, staticUrlErrors, UrlDestination } from './url.ts';

/** HTTP methods of calls. */
export const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;

/** The HTTP method of a call. */
export type Verb = (typeof verbs)[number];

/** A header of a request; the name is spelled as in the definition. */
export interface HeaderPlan {
  readonly name: string;
  readonly template: Template;
  /** Size in bytes without the rendered value: name, colon, space, line end, and the value if it is constant. */
  readonly bytes: number;
  /** The value, if it is the same for every call. */
  readonly constant?: string;
}

/**
 * A compiled HttpCall of a definition: all templates are compiled, and everything that can be checked before rendering
 * has been checked. Contains no authentication. Immutable.
 */
export interface RequestPlan {
  readonly verb: Verb;
  readonly url: Template;
  /** In the order of the definition; names are unique regardless of case. */
  readonly headers: readonly HeaderPlan[];
  readonly body?: {
    readonly template: Template;
    /** Whether the definition gives the body as JSON rather than as a string. */
    readonly json: boolean;
    /** Whether the body is a string that must render to JSON, because of its Content-Type or its first character. */
    readonly mustBeJson: boolean;
  };
  /** Whether the definition names a Content-Type. */
  readonly hasContentType: boolean;
  /**
   * Whether the URL's host or port comes from the payload, labels, a response or a callback. For a URL with sections,
   * only rendering can tell; see `Run.authorityFromData`.
   */
  readonly authorityFromData: boolean;
  /** Whether URL or body read `runtime.*`, `round`, `attempt` or an idempotency key. */
  readonly volatile: boolean;
  /** Whether any template depends on the order of first completion. */
  readonly usesOrder: boolean;
  readonly usesSecrets: boolean;
  /** Limits of URL, headers and body together. */
  readonly limits: RenderLimits;
  /** All templates with their places in the call: `.url`, `.headers.X-Id`, `.body`. */
  readonly parts: readonly { readonly path: string; readonly template: Template }[];
  readonly successStatusCodes?: ReadonlySet<number>;
  readonly unknownStatusCodes?: ReadonlySet<number>;
  readonly timeoutMillis?: number;
}

/** The result of a compilation. Problem paths are relative to the call (`.url`, `.headers.X-Id`, `.body.items[0]`). */
export type CompiledRequest =
  { readonly request: RequestPlan; readonly warnings: readonly Problem[] } | { readonly errors: readonly Problem[] };

const fields: ReadonlySet<string> = new Set([
  'url',
  'verb',
  'headers',
  'body',
  'successStatusCodes',
  'unknownStatusCodes',
  'timeoutMillis',
]);

/** Headers that control the connection or the framing of the message; definitions must not set them. */
const forbiddenHeaders: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'http2-settings',
  '__proto__',
]);

/** Size of a header without its name and value: colon, space and line end. */
const headerFraming = 4;

/** Maximum delay of `setTimeout`, in milliseconds. */
const maxTimeoutMillis = 2_147_483_647;

/** Compiles a call, or returns all errors in it. Never throws, whatever the call contains. */
export function compileRequest(call: Json, options: TemplateOptions): CompiledRequest {
  return new RequestCompiler(options).compile(call);
}

/** The result of compiling a body given as JSON; `nested` as for forms. */
type CompiledBody =
  | { readonly template: Template; readonly nested?: readonly string[]; readonly constants: readonly string[] }
  | { readonly errors: readonly Problem[] };

class RequestCompiler {
  readonly #options: TemplateOptions;
  readonly #errors: Problem[] = [];
  readonly #warnings: Problem[] = [];

  constructor(options: TemplateOptions) {
    this.#options = options;
  }

  compile(call: Json): CompiledRequest {
    if (!isJsonObject(call)) return { errors: [{ path: '', message: 'A call is an object with url and verb.' }] };
    for (const key of Object.keys(call)) {
      if (!fields.has(key) && !key.startsWith('x-')) this.#error(`.${key}`, 'A call has no such field.');
    }
    const verb = this.#verb(field(call, 'verb'));
    const destination = new UrlDestination();
    const url = this.#url(field(call, 'url'), destination);
    const headers = this.#headers(field(call, 'headers'));
    const body = this.#body(field(call, 'body'), headers);
    const successStatusCodes = this.#statusCodes(call, 'successStatusCodes');
    const unknownStatusCodes = this.#statusCodes(call, 'unknownStatusCodes');
    const timeoutMillis = this.#timeout(field(call, 'timeoutMillis'));
    if (this.#errors.length > 0 || verb === undefined || url === undefined) return { errors: this.#errors };
    const parts = [
      { path: '.url', template: url },
      ...headers.map(({ name, template }) => ({ path: `.headers.${name}`, template })),
      ...(body === undefined ? [] : [{ path: '.body', template: body.template }]),
    ];
    const request: RequestPlan = {
      verb,
      url,
      headers,
      ...(body === undefined ? undefined : { body }),
      hasContentType: contentTypeOf(headers) !== undefined,
      authorityFromData: destination.authorityFromData,
      volatile: url.volatile || body?.template.volatile === true,
      usesOrder: parts.some(({ template }) => template.usesOrder),
      usesSecrets: parts.some(({ template }) => template.usesSecrets),
      limits: this.#options.limits ?? defaultRenderLimits,
      parts,
      ...(successStatusCodes === undefined ? undefined : { successStatusCodes }),
      ...(unknownStatusCodes === undefined ? undefined : { unknownStatusCodes }),
      ...(timeoutMillis === undefined ? undefined : { timeoutMillis }),
    };
    return { request, warnings: this.#warnings };
  }

  #error(path: string, message: string): void {
    this.#errors.push({ path, message });
  }

  #verb(value: Json | undefined): Verb | undefined {
    const known = verbs.find((verb) => verb === value);
    if (known !== undefined) return known;
    const what = value === undefined ? 'is missing' : 'is not known';
    this.#error('.verb', `The verb ${what}; it is one of ${verbs.join(', ')}.`);
    return undefined;
  }

  #url(value: Json | undefined, destination: UrlDestination): Template | undefined {
    const source = templateText(value);
    if (source === undefined || source.trim() === '') {
      this.#error('.url', source === undefined ? 'The URL is a template, which is a string.' : 'The URL is blank.');
      return undefined;
    }
    const compiled = compileTemplate(source, this.#options, destination);
    if ('errors' in compiled) {
      for (const message of compiled.errors) this.#error('.url', message);
      return undefined;
    }
    for (const message of staticUrlErrors(source)) this.#error('.url', message);
    for (const path of destination.secretsInAuthority) this.#error('.url', secretInAuthority(path));
    return compiled.template;
  }

  #headers(value: Json | undefined): HeaderPlan[] {
    if (value === undefined) return [];
    if (!isJsonObject(value)) {
      this.#error('.headers', 'Headers are an object of names and templates.');
      return [];
    }
    const names = new Set<string>();
    return Object.keys(value).flatMap((name) => {
      const path = `.headers.${name}`;
      const lower = name.toLowerCase();
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) this.#error(path, `"${name}" is no name of a header.`);
      else if (forbiddenHeaders.has(lower) || lower.startsWith('proxy-')) {
        this.#error(path, `The header ${name} belongs to the connection and cannot be set.`);
      } else if (names.has(lower)) this.#error(path, `The header ${name} is set twice.`);
      names.add(lower);
      const item = field(value, name);
      if (item === undefined) return [];
      const source = templateText(item);
      if (source !== undefined) return this.#header(name, source, path) ?? [];
      this.#error(path, `The value of the header ${name} is a template, which is a string.`);
      return [];
    });
  }

  #header(name: string, source: string, path: string): HeaderPlan | undefined {
    const compiled = compileTemplate(source, this.#options, 'header');
    if ('errors' in compiled) {
      for (const message of compiled.errors) this.#error(path, message);
      return undefined;
    }
    const { template } = compiled;
    const parsed = parseTemplate(source);
    const texts = 'nodes' in parsed ? textsOf(parsed.nodes) : [];
    if (!texts.every(isHeaderValue)) {
      this.#error(path, `The value of the header ${name} holds a character that a header cannot carry.`);
    }
    const constant = template.constant ? texts.join('') : undefined;
    const bytes = name.length + headerFraming + utf8Length(constant ?? '');
    return { name, template, bytes, ...(constant === undefined ? undefined : { constant }) };
  }

  #body(value: Json | undefined, headers: readonly HeaderPlan[]): RequestPlan['body'] {
    if (value === undefined) return undefined;
    const source = templateText(value);
    this.#warnOfBytes(headers);
    if (source === undefined) return this.#jsonBody(value, mediaTypeOf(contentTypeOf(headers)));
    if (typeof value !== 'string') {
      const message = 'This is taken for the template that "value" holds; write a body of this form as a string.';
      this.#warnings.push({ path: '.body', message });
    }
    const destination = bodyDestination(source, contentTypeOf(headers));
    const compiled = compileTemplate(source, this.#options, destination);
    if ('errors' in compiled) {
      for (const message of compiled.errors) this.#error('.body', message);
      return undefined;
    }
    const mustBeJson = destination === 'json';
    if (mustBeJson) this.#checkJsonText(source, compiled.template);
    return { template: compiled.template, json: false, mustBeJson };
  }

  /**
   * Checks a JSON text before it is rendered: completely if it has no tags, otherwise only for commas that a section
   * leaves behind.
   */
  #checkJsonText(source: string, template: Template): void {
    const parsed = parseTemplate(source);
    if ('errors' in parsed) return;
    const text = textsOf(parsed.nodes).join('');
    if (template.constant && !isJson(text)) this.#error('.body', notJson('The body', text));
    for (const name of sectionsWithLastComma(parsed.nodes)) {
      const message = `The section "${name}" leaves a comma behind its last item, which no JSON may have; write the list as JSON, or the comma before each item but the first.`;
      this.#warnings.push({ path: '.body', message });
    }
  }

  /** Compiles a body given as JSON into the format that its constant Content-Type requires. */
  #jsonBody(value: Json, type: string | undefined): RequestPlan['body'] {
    if (type !== undefined && (isMarkup(type) || type.startsWith('multipart/'))) {
      this.#error('.body', `A body given as JSON is sent as JSON, which is not ${type}; write the body as a string.`);
      return undefined;
    }
    if (type === formType && !isJsonObject(value)) {
      this.#error('.body', 'A form is an object of names and values; write any other body as a string.');
      return undefined;
    }
    const compiled: CompiledBody =
      type === formType && isJsonObject(value)
        ? compileFormTemplate(value, this.#options)
        : compileJsonTemplate(value, this.#options);
    if ('errors' in compiled) {
      for (const { path, message } of compiled.errors) this.#error(`.body${path}`, message);
      return undefined;
    }
    for (const path of compiled.nested ?? []) {
      const message = 'A form has no nested values: this one is sent as JSON text.';
      this.#warnings.push({ path: `.body${path}`, message });
    }
    for (const path of compiled.constants) {
      const message = 'This $logic reads nothing, so that it always gives the same: write its value.';
      this.#warnings.push({ path: `.body${path}`, message });
    }
    return { template: compiled.template, json: true, mustBeJson: false };
  }

  /** Warns about headers that claim a charset or content coding that is not applied to the body. */
  #warnOfBytes(headers: readonly HeaderPlan[]): void {
    for (const { name, constant = '' } of headers) {
      const lower = name.toLowerCase();
      const charset = lower === 'content-type' ? /;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(constant)?.[1] : undefined;
      if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset)) {
        const message = `The body is sent in UTF-8, not in ${charset}.`;
        this.#warnings.push({ path: `.headers.${name}`, message });
      } else if (lower === 'content-encoding' && !/^\s*(?:identity)?\s*$/i.test(constant)) {
        this.#warnings.push({
          path: `.headers.${name}`,
          message: 'The body is sent as it is: no content coding is applied.',
        });
      }
    }
  }

  #statusCodes(call: JsonObject, name: 'successStatusCodes' | 'unknownStatusCodes'): ReadonlySet<number> | undefined {
    const value = field(call, name);
    if (value === undefined) return undefined;
    const codes = Array.isArray(value) ? (value as readonly Json[]).map(numberOf) : [];
    if (!Array.isArray(value) || (codes.length === 0 && name === 'successStatusCodes')) {
      this.#error(`.${name}`, 'Status codes are a list of whole numbers from 100 to 599.');
      return undefined;
    }
    for (const [i, code] of codes.entries()) {
      if (!Number.isInteger(code) || code < 100 || code > 599) {
        this.#error(`.${name}[${String(i)}]`, 'A status code is a whole number from 100 to 599.');
      }
    }
    return new Set(codes);
  }

  #timeout(value: Json | undefined): number | undefined {
    if (value === undefined) return undefined;
    const millis = numberOf(value);
    if (Number.isInteger(millis) && millis >= 1 && millis <= maxTimeoutMillis) return millis;
    const range = `from 1 to ${String(maxTimeoutMillis)}`;
    this.#error('.timeoutMillis', `The timeout is a whole number of milliseconds ${range}.`);
    return undefined;
  }
}

/** An own field of an object; undefined if it is null, since null equals absence. */
function field(object: JsonObject, key: string): Json | undefined {
  return ownProperty(object, key) ?? undefined;
}

function numberOf(value: Json): number {
  if (typeof value === 'number') return value;
  return isRawNumber(value) ? Number(value.rawJSON) : Number.NaN;
}

function contentTypeOf(headers: readonly HeaderPlan[]): HeaderPlan | undefined {
  return headers.find((header) => header.name.toLowerCase() === 'content-type');
}

const formType = 'application/x-www-form-urlencoded';

/** The media type of a Content-Type in lower case; undefined if there is none or it is only known at rendering. */
function mediaTypeOf(header: HeaderPlan | undefined): string | undefined {
  return header?.constant?.toLowerCase().split(';', 1)[0]?.trim();
}

/** Whether a body of this type is XML or HTML. */
function isMarkup(type: string): boolean {
  return type.endsWith('/xml') || type.endsWith('+xml') || type === 'text/html';
}

/** How values are escaped in a body given as a string: by its Content-Type, otherwise by its first character. */
function bodyDestination(source: string, header: HeaderPlan | undefined): DestinationKind {
  const type = mediaTypeOf(header);
  if (type === undefined) return beginsAsJson(source) ? 'json' : 'text';
  if (type === 'application/json' || type.endsWith('/json') || type.endsWith('+json')) return 'json';
  if (isMarkup(type)) return 'xml';
  return type === formType ? 'form' : 'text';
}

/** Names of the sections that end in a comma and are followed by the end of an object or array. */
function sectionsWithLastComma(nodes: readonly Syntax[]): string[] {
  return nodes.flatMap((node, i) => {
    if (node.kind !== 'section') return [];
    const inner = sectionsWithLastComma(node.children);
    const [last, next] = [node.children.at(-1), nodes[i + 1]];
    const endsInComma = last?.kind === 'text' && /,\s*$/.test(last.text);
    return endsInComma && next?.kind === 'text' && /^\s*[\]}]/.test(next.text) ? [...inner, node.name] : inner;
  });
}

/** Whether a template begins with a literal brace or bracket before any tag. */
function beginsAsJson(source: string): boolean {
  const parsed = parseTemplate(source);
  return 'nodes' in parsed && /^\s*[[{]/.test(textsOf(parsed.nodes, true).join(''));
}

/** The literal texts of a template; with `untilTag`, only those before its first tag. */
function textsOf(nodes: readonly Syntax[], untilTag = false): string[] {
  const texts: string[] = [];
  const collect = (list: readonly Syntax[]): boolean =>
    list.every((node) => {
      if (node.kind === 'text') texts.push(node.text);
      else if (node.kind === 'section') return collect(node.children);
      else return !untilTag;
      return true;
    });
  collect(nodes);
  return texts;
}
