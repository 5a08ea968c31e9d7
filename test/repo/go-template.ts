/**
 * Renders Helm templates well enough to check them: the part of Go's template language and of Helm's functions that our
 * chart uses. Stricter than Helm: a value that does not exist is an error wherever it is read, and so is an unknown function.
 */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';

type Value = unknown;
type Scope = ReadonlyMap<string, Value>;

type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'field'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'method'; readonly of: Expression; readonly args: readonly Expression[] };

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expression }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly variable: string | undefined;
      readonly value: Expression;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

interface Action {
  readonly before: string;
  readonly code: string | undefined;
}

/** Text and actions in turn, blanks beside `{{-` and `-}}` removed; comments vanish. */
function* actionsOf(source: string): Generator<Action> {
  const pattern = /\{\{(-?)\s*(\/\*[\s\S]*?\*\/|(?:"[^"]*"|[^"}])*?)\s*(-?)\}\}/g;
  let at = 0;
  let trims = false;
  const text = (end: number, trimsEnd: boolean): string => {
    let piece = source.slice(at, end);
    if (trims) piece = piece.trimStart();
    return trimsEnd ? piece.trimEnd() : piece;
  };
  for (const match of source.matchAll(pattern)) {
    const code = match[2] ?? '';
    yield { before: text(match.index, match[1] === '-'), code: code.startsWith('/*') ? '' : code };
    at = match.index + match[0].length;
    trims = match[3] === '-';
  }
  yield { before: text(source.length, false), code: undefined };
}

/** Parses one file: its own nodes, and those of the templates that it defines. */
class Parser {
  readonly defined = new Map<string, readonly Node[]>();
  readonly #actions: Iterator<Action>;

  constructor(source: string) {
    this.#actions = actionsOf(source);
  }

  /** Nodes up to `end` or `else`, or the end of the file; and which of these came. */
  block(): { nodes: Node[]; closing: string | undefined } {
    const nodes: Node[] = [];
    for (;;) {
      const next = this.#actions.next();
      if (next.done === true) return { nodes, closing: undefined };
      const { before, code } = next.value;
      if (before !== '') nodes.push({ kind: 'text', text: before });
      if (code === undefined) return { nodes, closing: undefined };
      const [, word = '', rest = ''] = /^(if|with|range|define|else|end)?\b\s*([\s\S]*)$/.exec(code) ?? [];
      if (word === 'end' || word === 'else') return { nodes, closing: code };
      if (word === 'define') this.defined.set(JSON.parse(rest) as string, this.#closed());
      else if (word !== '') nodes.push(this.#control(word as 'if' | 'with' | 'range', rest));
      else if (code !== '') nodes.push(statement(code));
    }
  }

  #closed(): readonly Node[] {
    const { nodes, closing } = this.block();
    if (closing !== 'end') throw new Error(`A block ends with ${closing ?? 'the file'}.`);
    return nodes;
  }

  #control(kind: 'if' | 'with' | 'range', rest: string): Node {
    const assigned = /^\$(\w+)\s*:=\s*([\s\S]+)$/.exec(rest);
    const value = expression(assigned?.[2] ?? rest);
    const { nodes: body, closing } = this.block();
    const variable = assigned?.[1];
    if (closing === undefined) throw new Error(`{{ ${kind} ${rest} }} has no end.`);
    if (closing === 'end') return { kind, variable, value, body, otherwise: [] };
    const elseIf = /^else\s+if\s+([\s\S]+)$/.exec(closing)?.[1];
    const otherwise = elseIf === undefined ? this.#closed() : [this.#control('if', elseIf)];
    return { kind, variable, value, body, otherwise };
  }
}

function statement(code: string): Node {
  const [, name, value] = /^\$(\w+)\s*:=\s*([\s\S]+)$/.exec(code) ?? [];
  return name === undefined || value === undefined
    ? { kind: 'print', value: expression(code) }
    : { kind: 'assign', name, value: expression(value) };
}

const tokenPattern = /"(?:[^"\\]|\\.)*"|\$?\w*(?:\.\w+)+|\$\w*|\.|-?\d+|[A-Za-z]\w*|[()|]/g;

/** A pipeline: commands parted by `|`, each getting the result of the one before as its last argument. */
function expression(code: string): Expression {
  const tokens = code.match(tokenPattern) ?? [];
  if (tokens.join('') !== code.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1')) throw new Error(`Not understood: ${code}`);
  let at = 0;
  const pipeline = (): Expression => {
    let result = command([]);
    while (tokens[at] === '|') {
      at++;
      result = command([result]);
    }
    return result;
  };
  const command = (last: readonly Expression[]): Expression => {
    const head = tokens[at] ?? '';
    const isCall = /^[A-Za-z]\w*$/.test(head) && head !== 'true' && head !== 'false';
    if (isCall) at++;
    const operands: Expression[] = [];
    while (at < tokens.length && tokens[at] !== '|' && tokens[at] !== ')') operands.push(operand());
    if (isCall) return { kind: 'call', name: head, args: [...operands, ...last] };
    const [first, ...args] = [...operands, ...last];
    if (first === undefined) throw new Error(`Nothing to evaluate in ${code}`);
    return args.length === 0 ? first : { kind: 'method', of: first, args };
  };
  const operand = (): Expression => {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      const inner = pipeline();
      if (tokens[at++] !== ')') throw new Error(`A parenthesis is open in ${code}`);
      return inner;
    }
    if (token.startsWith('"')) return { kind: 'literal', value: JSON.parse(token) as string };
    if (/^-?\d+$/.test(token)) return { kind: 'literal', value: Number(token) };
    if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
    const [root = '', ...path] = token.split('.').filter((part, index) => index === 0 || part !== '');
    let result: Expression = root === '' ? { kind: 'dot' } : { kind: 'variable', name: root.slice(1) };
    for (const name of path) result = { kind: 'field', of: result, name };
    return result;
  };
  const result = pipeline();
  if (at < tokens.length) throw new Error(`Not understood: ${tokens.slice(at).join(' ')} in ${code}`);
  return result;
}

const isEmpty = (value: Value): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 0 ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);

const text = (value: Value): string => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`Printed without being a text or a number: ${JSON.stringify(value)}`);
};

const indent = (width: number, value: string): string =>
  value
    .split('\n')
    .map((line) => ' '.repeat(width) + line)
    .join('\n');

const functions: Readonly<Record<string, (...args: Value[]) => Value>> = {
  add: (...numbers) => numbers.reduce<number>((sum, each) => sum + Number(each), 0),
  div: (a, b) => Math.trunc(Number(a) / Number(b)),
  int: (value) => Math.trunc(Number(value)),
  and: (...values) => values.find(isEmpty) ?? (values.some(isEmpty) ? undefined : values.at(-1)),
  not: (value) => isEmpty(value),
  eq: (a, b) => a === b,
  default: (otherwise, value) => (isEmpty(value) ? otherwise : value),
  list: (...values) => values,
  concat: (...lists) => (lists as Value[][]).flat(),
  dict: (...pairs) => Object.fromEntries(pairs.flatMap((key, i) => (i % 2 === 0 ? [[text(key), pairs[i + 1]]] : []))),
  quote: (value) => JSON.stringify(text(value)),
  lower: (value) => text(value).toLowerCase(),
  trunc: (length, value) => text(value).slice(0, Number(length)),
  trimSuffix: (suffix, value) =>
    text(value).endsWith(text(suffix)) ? text(value).slice(0, -text(suffix).length) : value,
  replace: (from, to, value) => text(value).replaceAll(text(from), text(to)),
  printf: (format, ...values) => text(format).replaceAll('%s', () => text(values.shift())),
  nindent: (width, value) => `\n${indent(Number(width), text(value))}`,
  toYaml: (value) => stringify(value, { lineWidth: 0 }).trimEnd(),
  sha256sum: (value) => createHash('sha256').update(text(value)).digest('hex'),
};

/** A set of template files of one chart. */
export class GoTemplates {
  readonly #files = new Map<string, readonly Node[]>();
  readonly #defined = new Map<string, readonly Node[]>();

  /** Adds a file. @throws Error when it is malformed. */
  add(name: string, source: string): void {
    const parser = new Parser(source);
    const { nodes, closing } = parser.block();
    if (closing !== undefined) throw new Error(`${name}: ${closing} closes nothing.`);
    this.#files.set(name, nodes);
    for (const [defined, body] of parser.defined) this.#defined.set(defined, body);
  }

  /** The text of a file for this root. @throws Error naming what does not exist. */
  render(name: string, root: Value): string {
    const nodes = this.#files.get(name);
    if (nodes === undefined) throw new Error(`There is no template ${name}.`);
    return this.#block(nodes, root, new Map([['', root]]));
  }

  #block(nodes: readonly Node[], dot: Value, outer: Scope): string {
    const scope = new Map(outer);
    return nodes.map((node) => this.#node(node, dot, scope)).join('');
  }

  #node(node: Node, dot: Value, scope: Map<string, Value>): string {
    if (node.kind === 'text') return node.text;
    const value = this.#evaluate(node.value, dot, scope);
    switch (node.kind) {
      case 'print':
        return text(value);
      case 'assign':
        scope.set(node.name, value);
        return '';
      case 'if':
        return this.#block(isEmpty(value) ? node.otherwise : node.body, dot, scope);
      case 'with':
        return isEmpty(value) ? this.#block(node.otherwise, dot, scope) : this.#block(node.body, value, scope);
      case 'range': {
        const { variable } = node;
        const inner = (each: Value): Scope => (variable === undefined ? scope : new Map([...scope, [variable, each]]));
        if (isEmpty(value)) return this.#block(node.otherwise, dot, scope);
        return (value as Value[]).map((each) => this.#block(node.body, each, inner(each))).join('');
      }
    }
  }

  #evaluate(expr: Expression, dot: Value, scope: Scope): Value {
    switch (expr.kind) {
      case 'literal':
        return expr.value;
      case 'dot':
        return dot;
      case 'variable':
        if (!scope.has(expr.name)) throw new Error(`There is no variable $${expr.name}.`);
        return scope.get(expr.name);
      case 'field': {
        const of = this.#evaluate(expr.of, dot, scope);
        if (typeof of !== 'object' || of === null || !Object.hasOwn(of, expr.name)) {
          throw new Error(`There is no ${pathOf(expr)}.`);
        }
        return (of as Record<string, Value>)[expr.name];
      }
      case 'method': {
        const args = expr.args.map((arg) => this.#evaluate(arg, dot, scope));
        return (this.#evaluate(expr.of, dot, scope) as (...values: Value[]) => Value)(...args);
      }
      case 'call': {
        const args = expr.args.map((arg) => this.#evaluate(arg, dot, scope));
        if (expr.name === 'include') return this.#include(text(args[0]), args[1]);
        const call = functions[expr.name];
        if (call === undefined) throw new Error(`There is no function ${expr.name}.`);
        return call(...args);
      }
    }
  }

  #include(name: string, dot: Value): string {
    const body = this.#defined.get(name);
    if (body === undefined) throw new Error(`There is no template ${name}.`);
    return this.#block(body, dot, new Map([['', dot]]));
  }
}

function pathOf(expr: Expression): string {
  if (expr.kind === 'field') return `${pathOf(expr.of)}.${expr.name}`;
  return expr.kind === 'variable' ? `$${expr.name}` : '';
}
