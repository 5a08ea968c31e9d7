/**
 * Text columns that hold any JavaScript string.
 *
 * Postgres cannot store U+0000 or a lone surrogate in text, and both may arrive from outside: in a downstream's response that a
 * failure quotes, in a label, in a name. They are stored as an escape that begins with a backslash; a backslash is doubled.
 * The encoding is injective, so filters compare the encoded forms. Almost every string is stored unchanged.
 */

// Matches U+0000 on purpose.
// oxlint-disable-next-line eslint/no-control-regex
const special = /[\u0000\\\p{Surrogate}]/gu;

// oxlint-disable-next-line eslint/no-control-regex
const maybeSpecial = /[\u0000\\]/;

/** Encodes a text for a column. */
export function encodeText(text: string): string {
  if (!maybeSpecial.test(text) && text.isWellFormed()) return text;
  return text.replace(special, (c) => (c === '\\' ? '\\\\' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

/** Encodes a text that may be absent. */
export function encodeTextOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : encodeText(text);
}

/** Decodes a text of a column. */
export function decodeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:\\|u([0-9a-f]{4}))/g, (_all, hex: string | undefined) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Encodes JSON text. A lone surrogate can only occur within a string, where its JSON escape is equivalent. */
export function encodeJsonText(text: string): string {
  if (text.isWellFormed()) return text;
  return text.replace(/\p{Surrogate}/gu, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}
