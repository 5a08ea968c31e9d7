/** Collects what is wrong or doubtful in a definition, as sentences that begin with a JSON path. */
import { isJsonObject, isRawNumber, numberText } from '../value/json.ts';

const maxShown = 60;

/** Most problems reported of one document: a person reads no more at once, and a document of 256 KiB can have a hundred thousand. */
export const maxProblems = 100;

/** Sentences, and how many more there are where they are too many to be said. */
export function saidOf(sentences: Iterable<string>, left: number): readonly string[] {
  return left === 0 ? [...sentences] : [...sentences, `… and ${String(left)} more.`];
}

/** A place in a definition: `nodes[2].action.request`; `''` is the document itself. */
export type Path = string;

/** The sink of all checks. Sentences begin with a capital letter or a quoted value and end with a full stop. */
export interface Problems {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Whether further problems make no difference: lists need not be walked to their ends. */
  readonly isFull?: boolean;
  error(path: Path, sentence: string): void;
  warn(path: Path, sentence: string): void;
}

/** The first {@link maxProblems} of a kind; of others it knows how many came. The same sentence at the same place is kept once. */
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

/** An empty collection. */
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
 * The path of a field or element: `nodes`, `nodes[2]`, `nodes[2].id`, `headers.X-Id`, `labels["a b"]`. Long keys are shortened: what
 * stands under one may have many problems, each with its path.
 */
export function at(path: Path, key: string | number): Path {
  if (typeof key === 'number') return `${path}[${String(key)}]`;
  if (key.length > maxShown || !/^[A-Za-z_$][\w$-]*$/.test(key)) return `${path}[${quote(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** A text in quotes, shortened when it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > maxShown ? `${text.slice(0, maxShown - 1)}…` : text);
}

/** A value as a sentence shows it: scalars as they are, others by their kind. */
export function show(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || isRawNumber(value)) return numberText(value).slice(0, maxShown);
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  return isJsonObject(value) ? 'an object' : 'no JSON value';
}

/** `a, b or c`. */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

/** Longer words are not compared: a single mistyped letter is unlikely to be their problem, and a comparison costs their length. */
const maxCompared = 256;

/** The known word that was probably meant: at most `most` letters away, whatever their case; undefined when none is. */
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

/** Letters to insert, delete or replace; Infinity when it is more than `limit`. Takes about `limit` steps per letter. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  let row = new Array<number>(b.length + 1).fill(Infinity);
  for (let i = 1; i <= a.length; i++) {
    // Off this diagonal band the distance is above the limit in any case.
    const [from, to] = [Math.max(1, i - limit), Math.min(b.length, i + limit)];
    row[from - 1] = from === 1 ? i : Infinity;
    let least = row[from - 1] ?? Infinity;
    for (let j = from; j <= to; j++) {
      const substitution = (previous[j - 1] ?? Infinity) + (a[i - 1] === b[j - 1] ? 0 : 1);
      // The row before ends one column earlier.
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
