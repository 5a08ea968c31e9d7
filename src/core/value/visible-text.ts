/** Text from outside as terminals may show it: nothing in it can move the cursor, hide or reorder what stands beside it. */

/**
 * C0 and C1 control characters, DEL, the line and paragraph separators, and what changes the direction of text (Unicode
 * Standard Annex 9).
 */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The same without the line feed. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const controlsWithinLines = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The control characters that JSON leaves as they are. */
const controlsInJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One line: every control character, line breaks included, is written as an escape such as `\u001b`, as JSON writes it. */
export function visibleLine(text: string): string {
  return text.replace(controls, escapeOf);
}

/** The same for a text of several lines, whose line feeds stay. What is put into it may hold none of its own. */
export function visibleLines(text: string): string {
  return text.replace(controlsWithinLines, escapeOf);
}

/**
 * The same for a JSON text, whose meaning stays: JSON writes C0 as escapes by itself. With `literal`, a reader that parses it finds
 * the escapes, and not the characters.
 */
export function visibleJson(json: string, literal: boolean = false): string {
  return json.replace(controlsInJson, literal ? (character) => `\\${escapeOf(character)}` : escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
