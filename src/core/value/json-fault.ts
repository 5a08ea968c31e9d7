/** The position and reason of a JSON syntax error. */
export interface JsonFault {
  /** Line number, from 1. */
  readonly line: number;
  /** Column number, from 1, in UTF-16 units. */
  readonly column: number;
  /** The end of a sentence. Contains no part of the text except punctuation. */
  readonly why: string;
}

/** Whether a text is valid JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A token. `kind` is the character itself for punctuation, `"` for a string, `0` for a number or literal, `?` for
 * anything else.
 */
interface Token {
  readonly kind: string;
  readonly at: number;
  readonly end: number;
}

const blanks = /[ \t\n\r]*/y;
// eslint-disable-next-line no-control-regex -- JSON texts hold none
const text = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

function matchAt(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(source) ? pattern.lastIndex : -1;
}

function tokenAt(source: string, from: number): Token | undefined {
  const at = matchAt(blanks, source, from);
  const char = source[at];
  if (char === undefined) return undefined;
  if ('{}[],:'.includes(char)) return { kind: char, at, end: at + 1 };
  const end = matchAt(char === '"' ? text : scalar, source, at);
  return end === -1 ? { kind: '?', at, end: at + 1 } : { kind: char === '"' ? '"' : '0', at, end };
}

const isValue = (kind: string): boolean => kind === '"' || kind === '0';

/**
 * Finds the first error of a text that {@link isJson} rejected, for authors of templates. Reads each character once.
 */
export function faultOf(source: string): JsonFault {
  const open: string[] = [];
  let before = '';
  let at = 0;
  for (;;) {
    const token = tokenAt(source, at);
    const why = token === undefined ? atEnd(before, open) : wrongAt(token, before, open, source);
    if (why !== undefined) return { ...placeOf(source, token?.at ?? source.length), why };
    // These rules find no error, but the JSON parser rejected the text.
    if (token === undefined) return { ...placeOf(source, source.length), why: 'it is no JSON' };
    const { kind } = token;
    if (kind === '{' || kind === '[') open.push(kind);
    else if (kind === '}' || kind === ']') open.pop();
    // Only a string that begins a member of an object is a key.
    before = kind === '"' && open.at(-1) === '{' && (before === '{' || before === ',') ? 'key' : kind;
    at = token.end;
  }
}

function atEnd(before: string, open: readonly string[]): string | undefined {
  if (before === '') return 'it is empty';
  const innermost = open.at(-1);
  return innermost === undefined ? undefined : `it ends before the "${innermost}" is closed`;
}

/**
 * The error of a token given the kind of the token before it: `key` for a key of an object, empty at the beginning.
 * Undefined if there is none.
 */
function wrongAt({ kind, at }: Token, before: string, open: readonly string[], source: string): string | undefined {
  const inner = open.at(-1);
  const closes = kind === '}' || kind === ']';
  if (kind === '?') return wrongWord(source[at] ?? '', source, at);
  if (before === 'key') return kind === ':' ? undefined : 'a colon is missing behind a key';
  if (before === ':' && (closes || kind === ',')) return 'a value is missing behind a colon';
  if (before === ':' || before === '[' || (before === ',' && inner === '[') || before === '') {
    if (kind === ',') return before === ',' ? 'two commas stand in a row' : 'a comma stands before the first value';
    if (kind === ':') return 'a colon stands where a value should be';
    if (!closes) return undefined;
    if (before === ',') return `a comma stands before "${kind}", as a section leaves it that ends with one`;
    return before === '[' && kind === ']' ? undefined : `"${kind}" closes nothing`;
  }
  if (before === '{' || before === ',') {
    if (kind === '"' || (before === '{' && kind === '}')) return undefined;
    if (kind === ',') return before === ',' ? 'two commas stand in a row' : 'a comma stands before the first key';
    if (kind === '}') return 'a comma stands before "}", as a section leaves it that ends with one';
    return 'a key in quotes should stand there';
  }
  // After a complete value.
  if (inner === undefined) return 'something stands behind the end';
  if (kind === ',') return undefined;
  if (closes) return (kind === '}') === (inner === '{') ? undefined : `"${kind}" closes a "${inner}"`;
  if (kind === ':') return 'a colon stands behind a value';
  return isValue(kind) || kind === '{' || kind === '[' ? 'a comma is missing between two values' : undefined;
}

function wrongWord(char: string, source: string, at: number): string {
  if (char !== '"') return 'a text stands there without quotes';
  const close = source.indexOf('"', at + 1);
  return close === -1
    ? 'a text is not closed by a quote'
    : 'a text holds a line break, another control character or a wrong escape, or is not closed by a quote';
}

function placeOf(source: string, position: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let start = 0;
  for (let end = source.indexOf('\n'); end !== -1 && end < position; end = source.indexOf('\n', start)) {
    line++;
    start = end + 1;
  }
  return { line, column: position - start + 1 };
}

/** An error sentence with the reason and position; `what` is its subject. */
export function notJson(what: string, source: string): string {
  const { line, column, why } = faultOf(source);
  return `${what} is not JSON: ${why} (line ${String(line)}, column ${String(column)}).`;
}
