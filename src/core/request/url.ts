/**
 * URLs of calls: where in a URL a template's values stand, and what a rendered URL must be before anything is sent.
 *
 * What is authority, path and query is decided by the literal text of the template, so that a value can never move the
 * border. Where a section may leave out literal text, it is decided at each rendering by what has been written before.
 * Inserted values are percent-encoded, but for one that makes up the URL's beginning. Whatever a client might read
 * differently than it is written here (user information, backslashes, blanks, dot segments) is refused.
 */
import type { Json } from '../value/json.ts';
import { type Destination, escapeUrl, type Insert, type PlacedTag, textOf } from '../template/destination.ts';
import { type OutputTracker, RenderFault, type Run } from '../template/run.ts';
import { parseTemplate, type Syntax } from '../template/syntax.ts';

/** The parts of a URL, as they are written. */
export interface UrlParts {
  /** Lower case, without the colon. */
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
}

type Part = 'start' | 'scheme' | 'authority' | 'path' | 'query';

/** A destination for one URL template. */
export class UrlDestination implements Destination {
  /** Whether the authority, or what may become a part of it, comes from payload, labels, an answer or a callback. */
  authorityFromData = false;
  /** Paths of the secrets that stand in what decides the host. */
  readonly secretsInAuthority: string[] = [];
  #part: Part = 'start';
  /** The end of the literal text since the last tag, as far as `://` may stand in it. */
  #seen = '';
  /** Whether a section was met: from there on the literal text does not say alone what has been written. */
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
    // A base such as `https://api.example.com/v1`, a scheme, or a whole URL.
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
        // `{{vars.BASE}}/orders`: a slash that is not one of the two of `://`.
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

/** Whether a value there can decide to which host the request goes. */
function decidesHost(part: Part): boolean {
  return part !== 'path' && part !== 'query';
}

/** Why a secret must not be part of the host: name servers and logs of connections would show it. */
export function secretInAuthority(path: string): string {
  return `"${path}" stands in the URL's scheme, host or port, where no secret may; use a variable ("vars.<NAME>").`;
}

function insertInto(part: Part, tag: PlacedTag): Insert {
  if (part === 'query') return tag.raw ? textOf : (value) => escapeUrl(textOf(value));
  if (part === 'start') return required(tag, 'beginning', (text) => text);
  return required(tag, part === 'path' ? 'path' : 'authority', tag.raw ? (text) => text : escapeUrl);
}

/** Behind or within a section: where the value stands is read from what has been written. */
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

/** The position at the end of what has been written so far. */
function positionOf(run: Run): UrlPosition {
  if (run.tracker instanceof UrlPosition) return run.tracker;
  const position = new UrlPosition();
  position.see(run.out);
  run.tracker = position;
  return position;
}

/** In which part of a URL its end lies, as far as it has been written: each character is looked at once. */
class UrlPosition implements OutputTracker {
  part: Part = 'start';
  /** Whether what was written ends in the first slash of what may become `://`. */
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
      // One that is not of `://`, or may be.
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

/** Why nothing may be sent to a URL. */
export interface UrlProblem {
  readonly error: string;
  /** The same without any part of the URL, where `error` names one. */
  readonly logged?: string;
}

/** Takes a rendered URL apart, or says in a sentence why nothing may be sent to it. */
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

/** Where the authority (ended by a slash, too) or the path ends. */
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

/** Whether a segment of a path, which begins with a slash, is `.` or `..`, with each dot as it is or percent-encoded. */
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
 * A URL template as logs and traces may show it: with its tags and without user information, query and fragment, where people
 * write what is not for everybody.
 */
export function shownTemplate(source: string): string {
  const shown = source.slice(0, endOfPath(source));
  return shown.replace(/^([a-z][a-z\d+.-]*:\/\/)[^/{]*@/i, '$1');
}

/** Where the query or fragment of a URL template begins; what stands in tags is none. */
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

/** Stands for a tag or the border of a section in the outline of a template. */
const unknown = '\u0000';

/** What is wrong with a URL template whatever its values are, each a sentence. `source` is free of syntax errors. */
export function staticUrlErrors(source: string): string[] {
  const parsed = parseTemplate(source);
  if (!('nodes' in parsed)) return [];
  const outline = outlineOf(parsed.nodes);
  if (!outline.includes(unknown)) {
    const parts = splitUrl(outline);
    return 'error' in parts ? [parts.error] : [];
  }
  const [begin = ''] = outline.split(unknown, 1);
  // Without a colon or slash the literal beginning may be a part of the scheme, as in `http{{vars.S}}://`.
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

/** The literal text, with {@link unknown} for whatever is not. */
function outlineOf(nodes: readonly Syntax[]): string {
  let outline = '';
  for (const node of nodes) {
    if (node.kind === 'text') outline += node.text;
    else if (node.kind === 'tag') outline += unknown;
    else outline += `${unknown}${outlineOf(node.children)}${unknown}`;
  }
  return outline;
}
