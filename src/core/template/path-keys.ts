/**
 * How paths are written: keys with dots between them, as in `payload.items.0.sku`. What a dot cannot separate stands in
 * brackets: a quoted key, as in `payload["user.email"]` or `payload['user.email']`, or the number of an item, as in
 * `payload.items[0].sku`. Between quotes a backslash escapes as in a JSON string.
 */

/** The keys of a path, or what is wrong with it, as the end of a sentence that begins with the path. */
export type PathKeys = { readonly keys: readonly string[] } | { readonly error: string };

const emptyPart = 'has an empty part';

/** The parts of a path in brackets: a number, or a key between quotes. */
const bracketed = /\[(?:(\d{1,9})|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\]/sy;

/** Reads a path. A key between quotes may be empty, any other may not. */
export function keysOfPath(text: string): PathKeys {
  if (!text.includes('[')) {
    const keys = text.split('.');
    return keys.includes('') ? { error: emptyPart } : { keys };
  }
  const keys: string[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === '[') {
      bracketed.lastIndex = at;
      const match = bracketed.exec(text);
      const key = match === null ? undefined : (match[1] ?? unquoted(match[2], match[3]));
      if (key === undefined) return { error: `has a "[" that begins neither ["key"] nor [0]` };
      keys.push(key);
      at = bracketed.lastIndex;
      const next = text[at];
      if (next === undefined) return { keys };
      if (next === '[') continue;
      if (next !== '.') return { error: 'goes on after "]" with neither a dot nor a bracket' };
      at++;
      if (text[at] === '[') return { error: emptyPart };
    }
    const end = endOfKey(text, at);
    if (end === at) return { error: emptyPart };
    keys.push(text.slice(at, end));
    at = text[end] === '.' ? end + 1 : end;
    if (text[end] === '.' && (at === text.length || text[at] === '[')) return { error: emptyPart };
  }
  return { keys };
}

function endOfKey(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text[i] === '.' || text[i] === '[') return i;
  return text.length;
}

/** The text between double or single quotes; undefined when it has an escape that JSON does not know. */
function unquoted(double: string | undefined, single: string | undefined): string | undefined {
  const written = double ?? single;
  if (written?.includes('\\') !== true) return written;
  const json = double ?? written.replaceAll(/\\[^]|"/g, (part) => (part === '"' ? '\\"' : part === "\\'" ? "'" : part));
  try {
    return JSON.parse(`"${json}"`) as string;
  } catch {
    return undefined;
  }
}

/** The keys as a path: those that a dot can separate as they are, others in brackets. */
export function pathOfKeys(keys: readonly string[]): string {
  return keys
    .map((key, i) =>
      key === '' || /[.[\]{}"']/.test(key) ? `[${JSON.stringify(key)}]` : `${i === 0 ? '' : '.'}${key}`,
    )
    .join('');
}
