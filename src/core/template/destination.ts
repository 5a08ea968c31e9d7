import { isRawNumber, type Json, stringifyJson } from '../value/json.ts';
import { RenderFault, type Run } from './run.ts';

/** The text that stands for a value; undefined means that the path is missing. May throw a {@link RenderFault}. */
export type Insert = (value: Json | undefined, run: Run) => string;

/** A tag, as a destination sees it. */
export interface PlacedTag {
  /** The path as it was written. */
  readonly text: string;
  readonly raw: boolean;
  /** Whether the value comes from payload, labels, an answer or a callback. */
  readonly fromData: boolean;
  /** Whether the value is a secret, or the token of a callback. */
  readonly secret: boolean;
}

/**
 * Destinations: how a value is written where its tag stands. Each is made afresh for one template, and is told the
 * template's literal text in order, since some (a JSON text, a URL) depend on what stands around the tag.
 */
export interface Destination {
  /** Told every literal text, in order; gives what is written for it. */
  literal(text: string): string;
  /** Told where a section begins and ends. */
  boundary(): void;
  /** How the value of the tag that stands here is written. */
  insert(tag: PlacedTag): Insert;
}

/** Destinations that depend on nothing but their kind. */
export type DestinationKind = 'text' | 'json' | 'xml' | 'form' | 'header';

/** A value as text: texts and digits as they are, objects and arrays as JSON, nothing for null or a missing one. */
export function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  return isRawNumber(value) ? value.rawJSON : stringifyJson(value);
}

/** A text as it stands between the quotes of a JSON string. */
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

/** Percent-encodes all but letters, digits and `-_.!~*'()`; half a surrogate pair becomes U+FFFD. */
export function escapeUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** The serializer of application/x-www-form-urlencoded (URL Standard, section 5.2). */
export function escapeForm(text: string): string {
  return escapeUrl(text)
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** A new destination for one template. */
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

/** What HTTP lets a header value hold: no control characters but the tab, nothing beyond U+00FF. */
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
 * A JSON text that is given as a string. The author writes the quotes; whether a tag stands between them is known from
 * the literal text before it, with every section read once.
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
