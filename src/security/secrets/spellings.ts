/**
 * The source of a regular expression that matches a piece of a value in every spelling of the usual encoders, also when
 * they apply in turn. JSON puts backslashes before a character, more at each level, so any number of them matches.
 * Other characters separate two runs of backslashes, and at the start of the value only the first of a run is tried, so
 * that a text full of backslashes costs no more than another.
 */
export function spellings(piece: string, beginsValue: boolean, unit: string): string {
  let pattern = '';
  for (const [, backslashes = '', character = ''] of piece.matchAll(/(\\*)([^\\]|$)/gsu)) {
    const { length } = backslashes;
    if (length === 0 && /^[A-Za-z0-9]?$/.test(character)) pattern += character;
    else pattern += `${backslashPattern(unit, length, beginsValue && pattern === '')}${spellingsOf(character)}`;
  }
  return pattern;
}

/**
 * The spelling of a backslash in a value. A value that contains the text of a percent-encoded backslash matches raw
 * ones only, since it would be ambiguous otherwise.
 */
export function backslashOf(value: string): string {
  return /%5c/i.test(value) ? '\\\\' : backslash;
}

/** A raw or percent-encoded backslash. */
const backslash = '(?:\\\\|%(?:25)*5[Cc])';

/** Backslashes before one character after eight levels of JSON. */
const maxBackslashes = 255;

/**
 * Matches at least `least` backslashes, escaped at any level of JSON. For the first piece of a value, the match must
 * begin at the start of a run.
 */
function backslashPattern(unit: string, least: number, isFirst: boolean): string {
  const many = `${unit}{${String(least)},${String((least + 1) * maxBackslashes)}}`;
  const all = isFirst ? `(?<!\\\\|5[Cc])${many}` : many;
  if (least === 0) return isFirst ? `(?:${all})?` : all;
  return `(?:${all}|(?:${backslash}|&(?:amp;)*#(?:92|[xX]0*5[Cc]);){${String(least)}})`;
}

/** Other spellings of encoders, without the backslash that JSON puts before some characters. */
const named: Readonly<Record<string, readonly string[]>> = {
  ' ': ['\\+'],
  '"': ['&(?:amp;)*quot;'],
  '/': ['&(?:amp;)*#x2[Ff];'],
  '&': ['&(?:amp;)+'],
  '<': ['&(?:amp;)*lt;'],
  '>': ['&(?:amp;)*gt;'],
  "'": ['&(?:amp;)*apos;', '&(?:amp;)*#0?39;'],
  '=': ['&(?:amp;)*#x3[Dd];'],
  '`': ['&(?:amp;)*#x60;'],
  '\n': ['n', '\\r\\n', `r${backslash}+n`, '%(?:25)*0[Dd]%(?:25)*0[Aa]'],
  '\r': ['r'],
  '\t': ['t'],
  '\f': ['f'],
  '\b': ['b'],
};

/** Each spelling may follow backslashes. */
function spellingsOf(character: string): string {
  if (character === '') return '';
  const forms = new Set<string>(named[character] ?? []);
  let percent = '';
  for (const byte of Buffer.from(character, 'utf8')) percent += `%(?:25)*${hexPattern(byte, 2)}`;
  forms.add(percent);
  let unicode = '';
  for (let i = 0; i < character.length; i++) {
    unicode += `${i === 0 ? '' : `${backslash}+`}u${hexPattern(character.charCodeAt(i), 4)}`;
  }
  forms.add(unicode);
  const code = character.codePointAt(0) ?? 0;
  forms.add(`&(?:amp;)*#(?:${code}|[xX]0*${hexPattern(code, 0)});`);
  // Last, so that a longer form that begins with the raw character is tried first.
  forms.add(escapePattern(character));
  return `(?:${[...forms].join('|')})`;
}

function hexPattern(value: number, digits: number): string {
  return value
    .toString(16)
    .padStart(digits, '0')
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

/** Escapes a text for use in a regular expression. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** The base64url characters of a value at a byte offset in a longer text that do not depend on neighbours. */
export function innerBase64(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value, 'utf8')]);
  return bytes.toString('base64url').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** Matches both base64 alphabets; `=` and the differing characters may be percent-encoded. */
export function eitherAlphabet(base64url: string): string {
  return base64url.replace(/[-_]/g, (character) => (character === '-' ? '(?:[-+]|%2[Bb])' : '(?:[_/]|%2[Ff]|\\\\/)'));
}
