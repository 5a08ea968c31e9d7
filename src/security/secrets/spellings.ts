/** How the characters of a secret may be written in a text, as sources of regular expressions. */

/**
 * A pattern for a piece of a value with every character as any of the usual encoders may write it, one upon the other. JSON puts
 * backslashes before a character, one more of each at every level: any number is taken along. Between two of them there is
 * always something else, and where the value begins only the first of a row is tried, so that a text full of them costs no more
 * than another.
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
 * What stands for a backslash in the spellings of a value. One that itself holds what a percent-encoded backslash looks like could be
 * read in too many ways.
 */
export function backslashOf(value: string): string {
  return /%5c/i.test(value) ? '\\\\' : backslash;
}

/** A backslash as it is, or percent-encoded. */
const backslash = '(?:\\\\|%(?:25)*5[Cc])';

/** As many as eight levels of JSON put before a character. */
const maxBackslashes = 255;

/** At least so many backslashes, and what levels of JSON make of them; just as many too where a row of them does not begin. */
function backslashPattern(unit: string, least: number, isFirst: boolean): string {
  const many = `${unit}{${String(least)},${String((least + 1) * maxBackslashes)}}`;
  const all = isFirst ? `(?<!\\\\|5[Cc])${many}` : many;
  if (least === 0) return isFirst ? `(?:${all})?` : all;
  return `(?:${all}|(?:${backslash}|&(?:amp;)*#(?:92|[xX]0*5[Cc]);){${String(least)}})`;
}

/** What else an encoder may write; what JSON puts a backslash before stands here without it. */
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

/** Behind backslashes, if there are any. */
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
  // Last, so that a form which begins with the raw character wins where it stands.
  forms.add(escapePattern(character));
  return `(?:${[...forms].join('|')})`;
}

function hexPattern(value: number, digits: number): string {
  return value
    .toString(16)
    .padStart(digits, '0')
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

/** A pattern for a text as it is. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** The characters of base64url, at an offset in bytes within a longer text, that do not depend on neighbours. */
export function innerBase64(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value, 'utf8')]);
  return bytes.toString('base64url').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** `=` and the two characters that differ may be percent-encoded too. */
export function eitherAlphabet(base64url: string): string {
  return base64url.replace(/[-_]/g, (character) => (character === '-' ? '(?:[-+]|%2[Bb])' : '(?:[_/]|%2[Ff]|\\\\/)'));
}
