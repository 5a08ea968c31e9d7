/** The forms in which a secret may stand in a text, each as something that is found at one place of it, and then looked at around. */
import { backslashOf, eitherAlphabet, escapePattern, innerBase64, spellings } from './spellings.ts';

/** A run of letters and digits that stands in every text that holds the form, as it is, whatever an encoder does. */
export interface Anchor {
  /** In the form's own text. */
  readonly at: number;
  /** {@link longAnchor} or {@link shortAnchor} characters. */
  readonly text: string;
}

/** The work that may still be done on a text, in characters of forms that are compared with it. It is spent when below 0. */
export interface Budget {
  left: number;
}

/** Characters of an anchor: eight are telling, and four are as few as can be told from anything else. */
export const longAnchor = 8;
/** See {@link longAnchor}. */
export const shortAnchor = 4;

/**
 * A form is compared piece by piece, each of about this many characters: V8 refuses expressions that are too long, and what one attempt
 * costs stays bounded.
 */
const pieceLength = 128;
/** Where a form without an anchor begins is tried at each character, so that less must be enough to tell that it does not. */
const headLength = 32;

/** What the start of a comparison costs, in compared characters. */
const callCost = 32;

/** A form offers this many anchors at most: one that few others have makes for few comparisons. */
const maxAnchors = 8;

/** How a form is written down: its text, and what stands for a piece of it in a regular expression. */
interface Writing {
  readonly text: () => string;
  readonly pattern: (piece: string, isFirst: boolean) => string;
  /** What is taken along behind it. */
  readonly tail: string;
}

/** One form of one value. Its expressions are compiled once a text holds an anchor of it. */
export class SecretForm {
  /** The best first; empty where letters and digits are too few in a row. */
  readonly anchors: readonly Anchor[];
  /** The whole form as a regular expression, where it has no anchor and is short. */
  readonly short: string | undefined;
  readonly #writing: Writing;
  readonly #around = new Map<number, { readonly before: readonly Piece[]; readonly behind: readonly Piece[] }>();
  #whole: readonly [head: Piece, ...Piece[]] | undefined;

  constructor(writing: Writing) {
    this.#writing = writing;
    const text = writing.text();
    this.anchors = anchorsOf(text);
    if (this.anchors.length === 0 && text.length <= headLength) {
      this.short = writing.pattern(text, true) + writing.tail;
    }
  }

  /** Where the form is, when one of its anchors is in a text at `at`; undefined when the rest is not around it. */
  around(anchor: Anchor, text: string, at: number, budget: Budget): readonly [start: number, end: number] | undefined {
    const { before, behind } = this.#piecesAround(anchor);
    let start = at;
    for (const piece of before) {
      const length = piece.lengthBefore(text, start, budget);
      if (length === undefined) return undefined;
      start -= length;
    }
    const end = endOf(behind, text, at + anchor.text.length, budget);
    return end === undefined ? undefined : [start, end];
  }

  /** A text without the form, which has no anchor. */
  without(text: string, mask: string, budget: Budget): string {
    this.#whole ??= piecesOf(this.#writing, 0, undefined, headLength) as [Piece, ...Piece[]];
    const [head, ...others] = this.#whole;
    let masked = '';
    let kept = 0;
    for (let found = head.next(text, 0); found !== undefined && budget.left >= 0;) {
      const end = endOf(others, text, found[1], budget);
      if (end !== undefined) {
        masked += text.slice(kept, found[0]) + mask;
        kept = end;
      }
      found = head.next(text, end ?? found[0] + 1);
    }
    return kept === 0 ? text : masked + text.slice(kept);
  }

  #piecesAround({ at, text }: Anchor): { readonly before: readonly Piece[]; readonly behind: readonly Piece[] } {
    let pieces = this.#around.get(at);
    if (pieces === undefined) {
      const before = piecesOf(this.#writing, 0, at).reverse();
      this.#around.set(at, (pieces = { before, behind: piecesOf(this.#writing, at + text.length) }));
    }
    return pieces;
  }
}

/** All forms of a value. */
export function formsOf(value: string): readonly SecretForm[] {
  const unit = backslashOf(value);
  const spelled: Writing = {
    text: () => value,
    pattern: (piece, isFirst) => spellings(piece, isFirst, unit),
    tail: '',
  };
  return [...quotings(value).flatMap(base64Writings), spelled, ...hostWritings(value)].map(
    (writing) => new SecretForm(writing),
  );
}

function anchorsOf(text: string): readonly Anchor[] {
  const runs: { readonly end: number; readonly length: number }[] = [];
  // A character behind a backslash is written in more ways than one.
  for (const { 0: run, index } of text.matchAll(/(?<![\\A-Za-z0-9])[A-Za-z0-9]+|(?<=\\[A-Za-z0-9])[A-Za-z0-9]+/g)) {
    if (run.length >= shortAnchor) runs.push({ end: index + run.length, length: run.length });
  }
  runs.sort((x, y) => y.length - x.length);
  return runs.slice(0, maxAnchors).map(({ end, length: run }) => {
    // The end of a run: the common prefix of a kind of secret is public.
    const at = end - (run < longAnchor ? shortAnchor : longAnchor);
    return { at, text: text.slice(at, end) };
  });
}

/** Of a value that JSON changes: as it stands in a document, and in one that another holds as a text. Longer ones stay alone. */
function quotings(value: string): readonly string[] {
  const quoted = quote(value);
  return quoted === value || value.length > maxQuotedLength ? [value] : [value, quoted, quote(quoted)];
}

const maxQuotedLength = 1024;

function quote(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** A value as a client that reads URLs writes it where it is a part of the host, if that is something else. */
function hostWritings(value: string): readonly Writing[] {
  const lower = value.toLowerCase();
  if (lower === value || !/^[\w.-]+$/.test(value)) return [];
  return [{ text: () => lower, pattern: escapePattern, tail: '' }];
}

/** Base64 of fewer characters than this is no longer telling inside a longer text. */
const minInnerBase64 = 6;

/**
 * The value in base64, in both alphabets. Alone it is found whole. Inside a longer encoded text it starts at one of three bit offsets;
 * there its characters that do not depend on neighbours are found, and those few that do are taken along on the right.
 */
function base64Writings(value: string): readonly Writing[] {
  const bytes = Buffer.byteLength(value);
  const inner = [0, 1, 2].flatMap((offset): Writing[] =>
    Math.floor(((bytes + offset) * 8) / 6) - Math.ceil((offset * 8) / 6) < minInnerBase64
      ? []
      : [{ text: () => innerBase64(value, offset), pattern: eitherAlphabet, tail: '[\\w+/-]{0,2}={0,2}' }],
  );
  if (bytes >= minInnerBase64) return inner;
  const whole = (): string => Buffer.from(value, 'utf8').toString('base64url');
  return [...inner, { text: whole, pattern: eitherAlphabet, tail: '={0,2}' }];
}

/** A part of a form that one regular expression compares. */
class Piece {
  readonly #source: string;
  readonly #cost: number;
  #forward: RegExp | undefined;
  #backward: RegExp | undefined;
  #anywhere: RegExp | undefined;

  constructor(source: string, cost: number) {
    this.#source = source;
    this.#cost = cost;
  }

  /** Where the piece ends that stands in a text at `at`. */
  endAt(text: string, at: number, budget: Budget): number | undefined {
    budget.left -= callCost + this.#cost;
    const pattern = (this.#forward ??= new RegExp(this.#source, 'y'));
    pattern.lastIndex = at;
    return pattern.test(text) ? pattern.lastIndex : undefined;
  }

  /** Characters of the piece that ends in a text at `at`. */
  lengthBefore(text: string, at: number, budget: Budget): number | undefined {
    budget.left -= callCost + this.#cost;
    const pattern = (this.#backward ??= new RegExp(`(?<=(${this.#source}))`, 'y'));
    pattern.lastIndex = at;
    return pattern.exec(text)?.[1]?.length;
  }

  /** Where the piece is next in a text. */
  next(text: string, from: number): readonly [start: number, end: number] | undefined {
    const pattern = (this.#anywhere ??= new RegExp(this.#source, 'g'));
    pattern.lastIndex = from;
    const found = pattern.exec(text);
    return found === null ? undefined : [found.index, pattern.lastIndex];
  }
}

function endOf(pieces: readonly Piece[], text: string, from: number, budget: Budget): number | undefined {
  let end: number | undefined = from;
  for (let i = 0; i < pieces.length && end !== undefined; i++) end = (pieces[i] as Piece).endAt(text, end, budget);
  return end;
}

/** The form from one place of its text to another, by default its end, in pieces. */
function piecesOf({ text, pattern, tail }: Writing, from: number, to?: number, first = pieceLength): Piece[] {
  const whole = text();
  const end = to ?? whole.length;
  const pieces: Piece[] = [];
  for (let at = from; at < end;) {
    const next = cutOf(whole, at, Math.min(end, at + (at === 0 ? first : pieceLength)), end);
    const source = pattern(whole.slice(at, next), at === 0);
    pieces.push(new Piece(next === whole.length ? source + tail : source, next - at));
    at = next;
  }
  if (from === whole.length && tail !== '') pieces.push(new Piece(tail, 1));
  return pieces;
}

/** Where to cut at the latest: best within letters and digits, never behind a backslash or within a character. */
function cutOf(text: string, from: number, latest: number, end: number): number {
  if (latest >= end) return end;
  for (let at = latest; at > (from + latest) / 2; at--) {
    if (/^[A-Za-z0-9]{2}$/.test(text.slice(at - 1, at + 1))) return at;
  }
  let at = latest;
  while (at > from + 1 && /[\\\uD800-\uDBFF]/.test(text[at - 1] ?? '')) at--;
  return at > from + 1 ? at : latest;
}
