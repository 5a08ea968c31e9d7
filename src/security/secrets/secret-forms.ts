import { backslashOf, eitherAlphabet, escapePattern, innerBase64, spellings } from './spellings.ts';

/** A run of letters and digits that every text with the form contains unchanged, whatever encoder wrote it. */
export interface Anchor {
  /** Index in the form's own text. */
  readonly at: number;
  /** {@link longAnchor} or {@link shortAnchor} characters. */
  readonly text: string;
}

/** Work left for one text, in compared characters; negative once it is spent. */
export interface Budget {
  left: number;
}

/** Characters of a long anchor, which is distinctive on its own. */
export const longAnchor = 8;
/** Characters of a short anchor: the fewest that distinguish a form from other text. */
export const shortAnchor = 4;

/**
 * Forms are compared in pieces of about this many characters. V8 refuses expressions that are too long, and the cost of
 * one attempt stays bounded.
 */
const pieceLength = 128;
/**
 * Length of the first piece of a form without an anchor. Every character of a text is a candidate start, so a mismatch
 * must be cheap to detect.
 */
const headLength = 32;

/** Cost of starting a comparison, in compared characters. */
const callCost = 32;

/** Anchors per form. With a choice, the search uses the anchor that the fewest other forms share. */
const maxAnchors = 8;

/** How one form of a value is matched: its text, and the regular expression source for a piece of it. */
interface Writing {
  readonly text: () => string;
  readonly pattern: (piece: string, isFirst: boolean) => string;
  /** Source of an expression for characters to mask after the form. */
  readonly tail: string;
}

/** One form of one value. Compiles its expressions when a text first contains one of its anchors. */
export class SecretForm {
  /** Best first; empty if no run of letters and digits is long enough. */
  readonly anchors: readonly Anchor[];
  /** The whole form as regular expression source, if it is short and has no anchor. */
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

  /** The span of the form in a text that has one of its anchors at `at`; undefined if the rest does not match. */
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

  /** Masks the form in a text; for forms without an anchor. */
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
  // Excludes a character after a backslash, which has several spellings.
  for (const { 0: run, index } of text.matchAll(/(?<![\\A-Za-z0-9])[A-Za-z0-9]+|(?<=\\[A-Za-z0-9])[A-Za-z0-9]+/g)) {
    if (run.length >= shortAnchor) runs.push({ end: index + run.length, length: run.length });
  }
  runs.sort((x, y) => y.length - x.length);
  return runs.slice(0, maxAnchors).map(({ end, length: run }) => {
    // Takes the end of a run, since secrets of one kind share a public prefix.
    const at = end - (run < longAnchor ? shortAnchor : longAnchor);
    return { at, text: text.slice(at, end) };
  });
}

/** The value raw, in a JSON string, and in a JSON string inside another, if JSON escapes it; long values raw only. */
function quotings(value: string): readonly string[] {
  const quoted = quote(value);
  return quoted === value || value.length > maxQuotedLength ? [value] : [value, quoted, quote(quoted)];
}

const maxQuotedLength = 1024;

function quote(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/**
 * The lower-case value that a URL parser writes if the value is part of the host; none if it is already in lower case.
 */
function hostWritings(value: string): readonly Writing[] {
  const lower = value.toLowerCase();
  if (lower === value || !/^[\w.-]+$/.test(value)) return [];
  return [{ text: () => lower, pattern: escapePattern, tail: '' }];
}

/** A shorter base64 text is not distinctive inside a longer one. */
const minInnerBase64 = 6;

/**
 * Base64 forms of a value, in both alphabets. Alone, the value matches as a whole. Inside a longer encoded text it
 * starts at one of three bit offsets; the form then has the characters that do not depend on neighbours, and its tail
 * masks the few that do.
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

/** A part of a form that one regular expression matches. */
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

  /** End of the piece that starts at `at` in a text; undefined if it does not match. */
  endAt(text: string, at: number, budget: Budget): number | undefined {
    budget.left -= callCost + this.#cost;
    const pattern = (this.#forward ??= new RegExp(this.#source, 'y'));
    pattern.lastIndex = at;
    return pattern.test(text) ? pattern.lastIndex : undefined;
  }

  /** Length of the piece that ends at `at` in a text. */
  lengthBefore(text: string, at: number, budget: Budget): number | undefined {
    budget.left -= callCost + this.#cost;
    const pattern = (this.#backward ??= new RegExp(`(?<=(${this.#source}))`, 'y'));
    pattern.lastIndex = at;
    return pattern.exec(text)?.[1]?.length;
  }

  /** Next occurrence of the piece in a text. */
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

/** The pieces of a form from one index of its text to another, by default its end. */
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

/**
 * Where to cut a piece, at `latest` or before: preferably between letters and digits, never after a backslash or inside
 * a character.
 */
function cutOf(text: string, from: number, latest: number, end: number): number {
  if (latest >= end) return end;
  for (let at = latest; at > (from + latest) / 2; at--) {
    if (/^[A-Za-z0-9]{2}$/.test(text.slice(at - 1, at + 1))) return at;
  }
  let at = latest;
  while (at > from + 1 && /[\\\uD800-\uDBFF]/.test(text[at - 1] ?? '')) at--;
  return at > from + 1 ? at : latest;
}
