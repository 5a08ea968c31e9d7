import { isRawNumber, type Json, stringifyJson } from '../value/json.ts';
import { RenderFault, type Run } from './run.ts';

/** Converts a value to text; undefined means that the path is missing. May throw a {@link RenderFault}. */
export type Insert = (value: Json | undefined, run: Run) => string;

/** A tag, as a destination sees it. */
export interface PlacedTag {
  /** The path as written. */
  readonly text: string;
  readonly raw: boolean;
  /** Whether the value comes from the payload, labels, a response or a callback. */
  readonly fromData: boolean;
  /** Whether the value is a secret or a callback token. */
  readonly secret: boolean;
}

/**
 * Decides how values are written at the places of their tags. Each instance serves one template and receives the
 * literal text in order, since in some formats (JSON text, URLs) the encoding depends on the text around the tag.
 */
export interface Destination {
  /** Called for every literal text, in order; returns the text to write. */
  literal(text: string): string;
  /** Called at the beginning and at the end of a section. */
  boundary(): void;
  /** Returns the conversion for the value of a tag at the current position. */
  insert(tag: PlacedTag): Insert;
}

/** Destinations that need no configuration. */
export type DestinationKind = 'text' | 'json' | 'xml' | 'form' | 'header';

/**
 * Converts a value to text: strings and digits unchanged, objects and arrays as JSON, null and missing values as empty
 * text.
 */
export function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  return isRawNumber(value) ? value.rawJSON : stringifyJson(value);
}

/** Escapes a text for use between the quotes of a JSON string. */
export function escapeJson(text: string): string {
  return stringifyJson(text).slice(1, -1);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] as string);
}

/** Percent-encodes everything except letters, digits and `-_.!~*'()`. Unpaired surrogates become U+FFFD. */
export function escapeUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** Encodes a text as application/x-www-form-urlencoded (URL Standard, section 5.2). */
export function escapeForm(text: string): string {
  return escapeUrl(text)
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** Creates a destination for one template. */
export function destinationOf(kind: DestinationKind): Destination {
  switch (kind) {
    case 'text':
      return plain(() => textOf);
    case 'xml':
      return plain((tag) => (tag.raw ? textOf : (value) => escapeXml(textOf(value))));
    case 'form':
      return plain((tag) => (tag.raw ? textOf : (value) => escapeForm(textOf(value))));
    case 'header':
      return plain(intoHeader);
    case 'json':
      return jsonText();
  }
}

function plain(insert: (tag: PlacedTag) => Insert): Destination {
  return { literal: (text) => text, boundary: () => undefined, insert };
}

/** Whether HTTP allows the text as a header value: no control characters except tab, nothing above U+00FF. */
export function isHeaderValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

function intoHeader(tag: PlacedTag): Insert {
  return (value) => {
    const text = textOf(value);
    if (isHeaderValue(text)) return text;
    throw new RenderFault(
      `The value of "${tag.text}" holds a character that a header cannot carry, such as a line break.`,
    );
  };
}

/**
 * A destination for JSON text. The author of the template writes the quotes; the literal text before a tag, with the
 * body of every section counted once, determines whether the tag is within quotes.
 */
function jsonText(): Destination {
  let quoted = false;
  let escaped = false;
  return {
    literal: (text) => {
      for (let i = 0; i < text.length; i++) {
        const char = text[i];
        if (escaped) escaped = false;
        else if (char === '\\') escaped = quoted;
        else if (char === '"') quoted = !quoted;
      }
      return text;
    },
    boundary: () => undefined,
    insert: (tag) => {
      if (tag.raw) return quoted ? textOf : (value) => (value === undefined || value === null ? 'null' : textOf(value));
      if (quoted) return (value) => escapeJson(textOf(value));
      return (value) => {
        if (typeof value === 'string') return escapeJson(value);
        return value === undefined || value === null ? 'null' : textOf(value);
      };
    },
  };
}
