/** The keys of a path, or the error as the end of a sentence that begins with the path. */
export type PathKeys = { readonly keys: readonly string[] } | { readonly error: string };

const emptyPart = 'has an empty part';

/** A bracketed part of a path: a number, or a key between quotes. */
const bracketed = /\[(?:(\d{1,9})|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\]/sy;

/**
 * Splits a path into keys. Keys are separated by dots, as in `payload.items.0.sku`. Keys that contain special
 * characters are quoted in brackets, as in `payload["user.email"]` or `payload['user.email']`; item numbers may be in
 * brackets too, as in `payload.items[0].sku`. Between quotes, a backslash escapes as in a JSON string. Only quoted keys
 * may be empty.
 */
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

/** The text between double or single quotes; undefined if it contains an escape that JSON does not define. */
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

/** Joins keys into a path; keys that cannot follow a dot are quoted in brackets. */
export function pathOfKeys(keys: readonly string[]): string {
  return keys
    .map((key, i) =>
      key === '' || /[.[\]{}"']/.test(key) ? `[${JSON.stringify(key)}]` : `${i === 0 ? '' : '.'}${key}`,
    )
    .join('');
}
