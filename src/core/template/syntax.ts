/** Literal text. */
export interface TextSyntax {
  readonly kind: 'text';
  readonly text: string;
}

/** `{{name}}`, or raw: `{{{name}}}` and `{{&name}}`. */
export interface TagSyntax {
  readonly kind: 'tag';
  readonly name: string;
  readonly raw: boolean;
}

/** `{{#name}}…{{/name}}`, or inverted: `{{^name}}…{{/name}}`. */
export interface SectionSyntax {
  readonly kind: 'section';
  readonly name: string;
  readonly inverted: boolean;
  readonly children: readonly Syntax[];
}

/** A part of a parsed template. */
export type Syntax = TextSyntax | TagSyntax | SectionSyntax;

/** Maximum nesting of sections. */
const maxNesting = 64;

type Token =
  | { kind: 'text'; text: string }
  | { kind: 'tag'; name: string; raw: boolean }
  | { kind: 'open'; name: string; inverted: boolean; at: number }
  | { kind: 'close'; name: string; at: number }
  | { kind: 'comment' };

interface OpenSection {
  readonly name: string;
  readonly inverted: boolean;
  readonly at: number;
  readonly children: Syntax[];
}

/**
 * Parses the Mustache syntax of templates: variables, raw variables, sections, inverted sections and comments. As in
 * Mustache, a line that contains only a section tag or a comment is removed completely. Partials and delimiter changes
 * are rejected. Every error is a sentence with the position, in characters from 1.
 */
export function parseTemplate(source: string): { readonly nodes: readonly Syntax[] } | { readonly errors: string[] } {
  const errors: string[] = [];
  const tokens = tokenize(source, errors);
  const nodes = nest(withoutStandaloneLines(tokens), errors);
  return errors.length > 0 ? { errors } : { nodes };
}

const refusedMarks: Readonly<Record<string, string>> = {
  '>': 'Partials',
  '<': 'Parents',
  $: 'Blocks',
  '=': 'Changes of the delimiters',
};

function tokenize(source: string, errors: string[]): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    if (open === -1) break;
    if (open > at) tokens.push({ kind: 'text', text: source.slice(at, open) });
    const mark = source[open + 2] ?? '';
    const closing = mark === '{' ? '}}}' : '}}';
    const close = source.indexOf(closing, open + (mark === '{' ? 3 : 2));
    if (close === -1) {
      errors.push(`The tag at character ${String(open + 1)} is not closed by ${closing}.`);
      return tokens;
    }
    const inner = source.slice(open + 2, close);
    const token = tokenOf(mark, inner, open + 1);
    if (typeof token === 'string') errors.push(token);
    else tokens.push(token);
    at = close + closing.length;
  }
  if (at < source.length) tokens.push({ kind: 'text', text: source.slice(at) });
  return tokens;
}

/** The token of a tag, or an error sentence if the tag is invalid. */
function tokenOf(mark: string, inner: string, at: number): Token | string {
  if (mark === '!') return { kind: 'comment' };
  const refused = Object.hasOwn(refusedMarks, mark) ? refusedMarks[mark] : undefined;
  if (refused !== undefined) return `${refused} are not supported, as the tag {{${inner}}} at character ${String(at)}.`;
  const marked = mark !== '' && '{&#^/'.includes(mark);
  const name = (marked ? inner.slice(1) : inner).trim();
  if (name === '') return `The tag at character ${String(at)} names nothing.`;
  if (name.includes('{') || name.includes('}')) {
    return `The tag at character ${String(at)} has a brace in its name "${name}".`;
  }
  switch (mark) {
    case '#':
    case '^':
      return { kind: 'open', name, inverted: mark === '^', at };
    case '/':
      return { kind: 'close', name, at };
    default:
      return { kind: 'tag', name, raw: mark === '{' || mark === '&' };
  }
}

function withoutStandaloneLines(tokens: Token[]): Token[] {
  const standalone = tokens.map((token, i) => {
    if (token.kind === 'text' || token.kind === 'tag') return false;
    return endsLine(tokens[i - 1], i === 1) && beginsLine(tokens[i + 1], i + 2 === tokens.length);
  });
  return tokens.map((token, i) => {
    if (token.kind !== 'text') return token;
    let { text } = token;
    if (standalone[i - 1] === true) text = text.slice(text.includes('\n') ? text.indexOf('\n') + 1 : text.length);
    if (standalone[i + 1] === true) text = text.slice(0, text.lastIndexOf('\n') + 1);
    return { kind: 'text', text };
  });
}

/** Whether only white space precedes a tag on its line. */
function endsLine(before: Token | undefined, first: boolean): boolean {
  if (before === undefined) return true;
  if (before.kind !== 'text') return false;
  const start = before.text.lastIndexOf('\n');
  return (start !== -1 || first) && before.text.slice(start + 1).trim() === '';
}

/** Whether only white space follows a tag on its line. */
function beginsLine(after: Token | undefined, last: boolean): boolean {
  if (after === undefined) return true;
  if (after.kind !== 'text') return false;
  const end = after.text.indexOf('\n');
  return (end !== -1 || last) && after.text.slice(0, end === -1 ? undefined : end).trim() === '';
}

function nest(tokens: readonly Token[], errors: string[]): Syntax[] {
  const top: Syntax[] = [];
  const open: OpenSection[] = [];
  for (const token of tokens) {
    const children = open.at(-1)?.children ?? top;
    switch (token.kind) {
      case 'text':
        if (token.text !== '') children.push(token);
        break;
      case 'tag':
        children.push(token);
        break;
      case 'open':
        open.push({ name: token.name, inverted: token.inverted, at: token.at, children: [] });
        if (open.length === maxNesting + 1) {
          errors.push(`Sections stand more than ${String(maxNesting)} deep within each other.`);
        }
        break;
      case 'close': {
        const section = open.pop();
        if (section === undefined) {
          errors.push(`The tag {{/${token.name}}} at character ${String(token.at)} closes no section.`);
        } else if (section.name !== token.name) {
          errors.push(
            `The tag {{/${token.name}}} at character ${String(token.at)} closes the section "${section.name}".`,
          );
        } else {
          const { name, inverted } = section;
          (open.at(-1)?.children ?? top).push({ kind: 'section', name, inverted, children: section.children });
        }
        break;
      }
      case 'comment':
        break;
    }
  }
  for (const { name, at } of open) errors.push(`The section "${name}" at character ${String(at)} is not closed.`);
  return top;
}
