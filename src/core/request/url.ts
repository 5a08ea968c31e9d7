import type { Json } from '../value/json.ts';
import { type Destination, escapeUrl, type Insert, type PlacedTag, textOf } from '../template/destination.ts';
import { type OutputTracker, RenderFault, type Run } from '../template/run.ts';
import { parseTemplate, type Syntax } from '../template/syntax.ts';

/** The parts of a URL, as written. */
export interface UrlParts {
  /** In lower case, without the colon. */
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Includes the question mark; empty if there is no query. */
  readonly query: string;
}

type Part = 'start' | 'scheme' | 'authority' | 'path' | 'query';

/**
 * Encodes the values of one URL template by the URL part in which they occur.
 *
 * The literal text of the template determines the parts (authority, path, query), so a value can never move a boundary.
 * If a section may omit literal text, each rendering determines the part from the output so far. Values are
 * percent-encoded, except for a value at the very beginning of the URL. Anything that clients may interpret differently
 * (user information, backslashes, white space, dot segments) is rejected before a request is sent; see {@link
 * splitUrl}.
 */
export class UrlDestination implements Destination {
  /**
   * Whether the authority, or a value that may become part of it, comes from the payload, labels, a response or a
   * callback.
   */
  authorityFromData = false;
  /** Paths of the secrets in those parts of the URL that determine the host. */
  readonly secretsInAuthority: string[] = [];
  #part: Part = 'start';
  /** The last characters of the literal text since the last tag, to recognise `://`. */
  #seen = '';
  /** Whether a section occurred: from there on, the literal text alone does not determine the output. */
  #hasSection = false;

  literal(text: string): string {
    for (const char of text) {
      this.#seen = `${this.#seen}${char}`.slice(-3);
      this.#part = this.#after(char);
    }
    return text;
  }

  boundary(): void {
    this.#hasSection = true;
  }

  insert(tag: PlacedTag): Insert {
    const part = this.#part;
    this.#seen = '';
    // A base URL such as `https://api.example.com/v1`, a scheme, or a whole URL.
    if (part === 'start') this.#part = 'scheme';
    if (decidesHost(part)) {
      this.authorityFromData ||= tag.fromData;
      if (tag.secret) this.secretsInAuthority.push(tag.text);
    }
    return this.#hasSection ? insertByOutput(tag) : insertInto(part, tag);
  }

  #after(char: string): Part {
    switch (this.#part) {
      case 'start':
      case 'scheme':
        if (this.#seen === '://') return 'authority';
        if (char === '?' || char === '#') return 'query';
        // A slash that is not part of `://`, as in `{{vars.BASE}}/orders`.
        return char === '/' && !this.#seen.endsWith(':/') ? 'path' : 'scheme';
      case 'authority':
        if (char === '/' || char === '\\') return 'path';
        return char === '?' || char === '#' ? 'query' : 'authority';
      case 'path':
        return char === '?' || char === '#' ? 'query' : 'path';
      case 'query':
        return 'query';
    }
  }
}

/** Whether a value in this part can determine the host of the request. */
function decidesHost(part: Part): boolean {
  return part !== 'path' && part !== 'query';
}

/** The error for a secret in the host part of a URL: DNS servers and connection logs would expose it. */
export function secretInAuthority(path: string): string {
  return `"${path}" stands in the URL's scheme, host or port, where no secret may; use a variable ("vars.<NAME>").`;
}

function insertInto(part: Part, tag: PlacedTag): Insert {
  if (part === 'query') return tag.raw ? textOf : (value) => escapeUrl(textOf(value));
  if (part === 'start') return required(tag, 'beginning', (text) => text);
  return required(tag, part === 'path' ? 'path' : 'authority', tag.raw ? (text) => text : escapeUrl);
}

/** Used after or within a section: determines the part from the output so far. */
function insertByOutput(tag: PlacedTag): Insert {
  return (value, run) => {
    const { part } = positionOf(run);
    if (decidesHost(part)) {
      if (tag.secret) throw new RenderFault(secretInAuthority(tag.text));
      if (tag.fromData) run.authorityFromData = true;
    }
    return insertInto(part, tag)(value, run);
  };
}

/** The part at the end of the output so far. */
function positionOf(run: Run): UrlPosition {
  if (run.tracker instanceof UrlPosition) return run.tracker;
  const position = new UrlPosition();
  position.see(run.out);
  run.tracker = position;
  return position;
}

/** Tracks in which part of a URL the output so far ends. Examines each character once. */
class UrlPosition implements OutputTracker {
  part: Part = 'start';
  /** Whether the output ends in the first slash of a possible `://`. */
  #afterColonSlash = false;
  #afterColon = false;

  see(text: string): void {
    for (let i = 0; i < text.length && this.part !== 'query'; i++) {
      if (this.part === 'path') {
        if (/[?#]/.test(i === 0 ? text : text.slice(i))) this.part = 'query';
        return;
      }
      this.#take(text[i] as string);
    }
  }

  #take(char: string): void {
    if (char === '?' || char === '#') this.part = 'query';
    else if (this.part === 'authority') {
      if (char === '/' || char === '\\') this.part = 'path';
    } else if (this.#afterColonSlash) this.part = char === '/' ? 'authority' : 'path';
    else if (char === '/') {
      // Either not part of `://`, or possibly its first slash.
      this.#afterColonSlash = this.#afterColon;
      this.part = this.#afterColon ? 'scheme' : 'path';
    } else this.part = 'scheme';
    this.#afterColon = char === ':';
  }
}

function required(tag: PlacedTag, place: string, encode: (text: string) => string): Insert {
  return (value: Json | undefined) => {
    const text = textOf(value);
    if (text === '') throw new RenderFault(`"${tag.text}" is missing, null or empty in the URL's ${place}.`);
    return encode(text);
  };
}

/** The reason why no request may be sent to a URL. */
export interface UrlProblem {
  readonly error: string;
  /** `error` without any part of the URL, for logs; present if `error` contains one. */
  readonly logged?: string;
}

/** Splits a rendered URL into its parts, or returns why no request may be sent to it. */
export function splitUrl(url: string): UrlParts | UrlProblem {
  const colon = url.indexOf('://');
  const scheme = colon === 4 || colon === 5 ? url.slice(0, colon).toLowerCase() : '';
  if (scheme !== 'http' && scheme !== 'https') {
    return { error: 'The URL does not begin with http:// or https://.' };
  }
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f) return { error: 'The URL holds a blank or a control character.' };
  }
  const start = colon + 3;
  const pathStart = endOf(url, start, true);
  const queryStart = endOf(url, pathStart, false);
  const authority = url.slice(start, pathStart);
  const path = url.slice(pathStart, queryStart);
  const wrong = wrongAuthority(authority);
  if (wrong !== undefined) return { error: wrong };
  if (path.includes('\\')) return { error: "The URL's path holds a backslash." };
  if (hasDotSegment(path)) {
    return { error: `The URL's path ${path} has a dot segment.`, logged: "The URL's path has a dot segment." };
  }
  const fragment = url.indexOf('#', queryStart);
  return { scheme, authority, path, query: url.slice(queryStart, fragment === -1 ? undefined : fragment) };
}

const question = 0x3f;
const hash = 0x23;
const slash = 0x2f;

/** The end of the path, or of the authority if `atSlash`. */
function endOf(url: string, from: number, atSlash: boolean): number {
  for (let i = from; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code === question || code === hash || (atSlash && code === slash)) return i;
  }
  return url.length;
}

function wrongAuthority(authority: string): string | undefined {
  if (authority.includes('@')) return "The URL's authority holds user information.";
  const port = /:(\d*)$/.exec(authority);
  const host = port === null ? authority : authority.slice(0, port.index);
  if (host === '') return 'The URL has no host.';
  if (port !== null && Number(port[1]) > 65_535) return "The URL's port is larger than 65535.";
  if (host.startsWith('[')) {
    return /^\[[\da-fA-F:.]+\]$/.test(host) ? undefined : "The URL's IPv6 address is not valid.";
  }
  // The forbidden host code points of the URL Standard.
  return /[%:<>[\\\]^|"`{}]/.test(host) ? "The URL's host holds a character that no host has." : undefined;
}

/** Whether a path contains the segment `.` or `..`; dots may be percent-encoded. The path begins with a slash. */
export function hasDotSegment(path: string): boolean {
  if (!path.includes('/.') && !path.includes('/%2')) return false;
  return path.split('/').some((segment) => isDotSegment(segment));
}

function isDotSegment(segment: string): boolean {
  if (segment.length === 0 || segment.length > 6) return false;
  const dots = segment.replace(/%2e/gi, '.');
  return dots === '.' || dots === '..';
}

/**
 * A URL template for logs and traces: includes tags, but no user information, query or fragment, where people tend to
 * put confidential values.
 */
export function shownTemplate(source: string): string {
  const shown = source.slice(0, endOfPath(source));
  return shown.replace(/^([a-z][a-z\d+.-]*:\/\/)[^/{]*@/i, '$1');
}

/** The start of the query or fragment of a URL template; `?` and `#` within tags do not count. */
function endOfPath(source: string): number {
  let at = 0;
  let hasTags = true;
  while (at < source.length) {
    const code = source.charCodeAt(at);
    if (code === question || code === hash) return at;
    const end: number = hasTags && source.startsWith('{{', at) ? source.indexOf('}}', at + 2) : 0;
    if (end === -1) hasTags = false;
    at = end > 0 ? end + 2 : at + 1;
  }
  return at;
}

/** Represents a tag or a section boundary in the outline of a template. */
const unknown = '\u0000';

/** The errors of a URL template that occur for all values, each as a sentence. `source` must have no syntax errors. */
export function staticUrlErrors(source: string): string[] {
  const parsed = parseTemplate(source);
  if (!('nodes' in parsed)) return [];
  const outline = outlineOf(parsed.nodes);
  if (!outline.includes(unknown)) {
    const parts = splitUrl(outline);
    return 'error' in parts ? [parts.error] : [];
  }
  const [begin = ''] = outline.split(unknown, 1);
  // Without a colon or slash, the literal beginning may be part of the scheme, as in `http{{vars.S}}://`.
  if (/[:/?#]/.test(begin) ? !/^https?:\/\//i.test(begin) : !/^(?:h|ht|htt|http|https)?$/i.test(begin)) {
    return ['The URL does not begin with http:// or https://.'];
  }
  const errors: string[] = [];
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0001-\u0020\u007f]/.test(outline)) errors.push('The URL holds a blank or a control character.');
  const mark = outline.indexOf('://');
  const start = mark === -1 ? 0 : mark + 3;
  const pathStart = endOf(outline, start, true);
  const queryStart = endOf(outline, pathStart, false);
  if (outline.slice(start, pathStart).includes('@')) errors.push("The URL's authority holds user information.");
  if (mark !== -1 && pathStart === start) errors.push('The URL has no host.');
  const path = outline.slice(pathStart, queryStart);
  if (path.includes('\\')) errors.push("The URL's path holds a backslash.");
  if (hasDotSegment(path)) errors.push("The URL's path has a dot segment.");
  return errors;
}

/** The literal text of a template, with {@link unknown} in place of tags and section boundaries. */
function outlineOf(nodes: readonly Syntax[]): string {
  let outline = '';
  for (const node of nodes) {
    if (node.kind === 'text') outline += node.text;
    else if (node.kind === 'tag') outline += unknown;
    else outline += `${unknown}${outlineOf(node.children)}${unknown}`;
  }
  return outline;
}
