/**
 * Text columns that hold any JavaScript string.
 *
 * Postgres keeps neither U+0000 nor a lone surrogate in text, and both may come in from outside: in a downstream's answer
 * that a failure quotes, in a label, in a name. They are kept as an escape that begins with a backslash, which is doubled
 * itself; equal strings stay equal, so that filters compare the escaped forms. Almost every string is kept as it is.
 */

// U+0000 is what this is about.
// oxlint-disable-next-line eslint/no-control-regex
const special = /[\u0000\\\p{Surrogate}]/gu;

// oxlint-disable-next-line eslint/no-control-regex
const maybeSpecial = /[\u0000\\]/;

/** The text as stored. */
export function encodeText(text: string): string {
  if (!maybeSpecial.test(text) && text.isWellFormed()) return text;
  return text.replace(special, (c) => (c === '\\' ? '\\\\' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

/** The text as stored, where there may be none. */
export function encodeTextOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : encodeText(text);
}

/** The text as it was. */
export function decodeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:\\|u([0-9a-f]{4}))/g, (_all, hex: string | undefined) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** JSON text as stored: a lone surrogate can only stand within a string, where its escape means the same. */
export function encodeJsonText(text: string): string {
  if (text.isWellFormed()) return text;
  return text.replace(/\p{Surrogate}/gu, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}
