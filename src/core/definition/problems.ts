import { isJsonObject, isRawNumber, numberText } from '../value/json.ts';

const maxShown = 60;

/**
 * Maximum number of problems reported per document and severity. A document of 256 KiB can have a hundred thousand
 * problems, more than anyone can read.
 */
export const maxProblems = 100;

/** The sentences, followed by a line with the number of omitted ones, if any. */
export function saidOf(sentences: Iterable<string>, left: number): readonly string[] {
  return left === 0 ? [...sentences] : [...sentences, `… and ${String(left)} more.`];
}

/** The path of a place in a definition, such as `nodes[2].action.request`; `''` is the document itself. */
export type Path = string;

/**
 * Collects the errors and warnings of all checks. Sentences begin with a capital letter or a quoted value and end with
 * a full stop.
 */
export interface Problems {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Whether further problems are ignored, so that checks of lists may stop early. */
  readonly isFull?: boolean;
  error(path: Path, sentence: string): void;
  warn(path: Path, sentence: string): void;
}

/**
 * Keeps the first {@link maxProblems} problems of one severity and counts the rest. Duplicates of kept problems are
 * dropped.
 */
class Sentences {
  readonly #kept = new Set<string>();
  #left = 0;

  add(path: Path, sentence: string): void {
    if (this.#kept.size >= maxProblems) this.#left++;
    else this.#kept.add(`${path === '' ? 'definition' : path}: ${sentence}`);
  }

  get said(): readonly string[] {
    return saidOf(this.#kept, this.#left);
  }
}

/** Creates an empty collection. */
export function createProblems(): Problems {
  const errors = new Sentences();
  const warnings = new Sentences();
  return {
    get errors() {
      return errors.said;
    },
    get warnings() {
      return warnings.said;
    },
    error: (path, sentence) => errors.add(path, sentence),
    warn: (path, sentence) => warnings.add(path, sentence),
  };
}

/**
 * The path of a field or element: `nodes`, `nodes[2]`, `nodes[2].id`, `headers.X-Id`, `labels["a b"]`. Long keys are
 * shortened, since many problems may occur below one key and each repeats the path.
 */
export function at(path: Path, key: string | number): Path {
  if (typeof key === 'number') return `${path}[${String(key)}]`;
  if (key.length > maxShown || !/^[A-Za-z_$][\w$-]*$/.test(key)) return `${path}[${quote(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** Quotes a text and shortens it if it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > maxShown ? `${text.slice(0, maxShown - 1)}…` : text);
}

/** Formats a value for a message: scalars literally, other values by their type. */
export function show(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || isRawNumber(value)) return numberText(value).slice(0, maxShown);
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  return isJsonObject(value) ? 'an object' : 'no JSON value';
}

/** Joins words as `a, b or c`. */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

/**
 * Maximum length of a word for which a suggestion is computed, in UTF-16 units. The cost of a comparison grows with the
 * length, and longer words are rarely typing errors.
 */
const maxCompared = 256;

/**
 * The known word closest to a mistyped one, within an edit distance of `most`, ignoring case. Returns undefined if none
 * is close enough.
 */
export function closest(word: string, known: readonly string[], most = 2): string | undefined {
  if (word.length > maxCompared) return undefined;
  const limit = Math.min(most, Math.floor(word.length / 2));
  const lower = word.toLowerCase();
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(lower, candidate.toLowerCase(), limit);
    if (distance <= limit && distance < (best?.distance ?? Infinity)) best = { word: candidate, distance };
  }
  return best?.word;
}

/** Edit distance of two words, or Infinity if it exceeds `limit`. Costs about `limit` operations per letter. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  let row = new Array<number>(b.length + 1).fill(Infinity);
  for (let i = 1; i <= a.length; i++) {
    // Outside this diagonal band the distance always exceeds the limit.
    const [from, to] = [Math.max(1, i - limit), Math.min(b.length, i + limit)];
    row[from - 1] = from === 1 ? i : Infinity;
    let least = row[from - 1] ?? Infinity;
    for (let j = from; j <= to; j++) {
      const substitution = (previous[j - 1] ?? Infinity) + (a[i - 1] === b[j - 1] ? 0 : 1);
      // The previous row ends one column earlier.
      const deletion = (j === i + limit ? Infinity : (previous[j] ?? Infinity)) + 1;
      const distance = Math.min(substitution, deletion, (row[j - 1] ?? Infinity) + 1);
      row[j] = distance;
      if (distance < least) least = distance;
    }
    if (least > limit) return Infinity;
    [previous, row] = [row, previous];
  }
  return previous[b.length] ?? Infinity;
}
