/**
 * C0 and C1 control characters, DEL, the line and paragraph separators, and characters that change the text direction
 * (Unicode Standard Annex 9).
 */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The same characters except the line feed. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const controlsWithinLines = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The control characters that JSON does not escape. */
const controlsInJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Makes external text safe for terminals, as one line: it can neither move the cursor nor hide or reorder the text
 * around it. Every control character, including line breaks, becomes an escape such as `\u001b`, as in JSON.
 */
export function visibleLine(text: string): string {
  return text.replace(controls, escapeOf);
}

/** Like {@link visibleLine}, but keeps line feeds. Text inserted into it must not contain line feeds of its own. */
export function visibleLines(text: string): string {
  return text.replace(controlsWithinLines, escapeOf);
}

/**
 * Like {@link visibleLine}, for JSON text, whose meaning is preserved: JSON already escapes C0 characters. With
 * `literal`, a reader that parses the text gets the escape sequences instead of the characters.
 */
export function visibleJson(json: string, literal: boolean = false): string {
  return json.replace(controlsInJson, literal ? (character) => `\\${escapeOf(character)}` : escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
