/**
 * Finds secrets in texts, however an encoder writes them, in time that grows with the text alone: neither with the number of secrets nor
 * with what they and the text have in common.
 *
 * Every form of every secret has an anchor: a few letters and digits in a row that no encoder changes. One walk over a text finds all
 * anchors, and only there the rest of the form is compared. The few forms without an anchor, passwords full of punctuation, are looked
 * for with regular expressions. What comparisons cost is counted. A text on which more work would have to be done than any that was
 * not crafted for it is masked as a whole.
 */
import { type Anchor, type Budget, formsOf, longAnchor, type SecretForm, shortAnchor } from './secret-forms.ts';

/** Shorter secrets are not masked by value: they would be found everywhere. */
const minMaskedLength = 4;

/** Comparisons with each character of a text on average, and those that a short text may have beyond that. */
const workPerCharacter = 64;
const workBeside = 16_384;

/** Short forms without an anchor are grouped into expressions of about this length: few passes over a text, and none that V8 refuses. */
const patternLength = 16_384;

/** Looks for a set of values. Immutable. */
export class SecretSearch {
  readonly #forms: ReadonlyMap<string, readonly SecretForm[]>;
  readonly #patterns: readonly RegExp[];
  /** Long forms without an anchor. */
  readonly #loose: readonly SecretForm[];
  readonly #anchors = new Anchors();

  /** What is known of values that `before` looked for too is taken from there. */
  constructor(values: Iterable<string>, before?: SecretSearch) {
    const forms = new Map<string, readonly SecretForm[]>();
    for (const value of values) {
      if (value.length >= minMaskedLength) forms.set(value, before?.formsOf(value) ?? formsOf(value));
    }
    this.#forms = forms;
    // Longest first: masking a secret that is a prefix of another must not leave the rest of the other.
    const all = [...forms].sort(([x], [y]) => y.length - x.length).flatMap(([, of]) => of);
    for (const [form, anchor] of rarestAnchors(all)) this.#anchors.add(form, anchor);
    this.#patterns = grouped(all.flatMap(({ short }) => short ?? []));
    this.#loose = all.filter(({ anchors, short }) => anchors.length === 0 && short === undefined);
  }

  /** What is known of a value; undefined when it is not looked for. */
  formsOf(value: string): readonly SecretForm[] | undefined {
    return this.#forms.get(value);
  }

  /** The text with `mask` in the place of every value; itself when it holds none. */
  without(text: string, mask: string): string {
    if (this.#forms.size === 0 || text.length < minMaskedLength) return text;
    const budget = { left: workBeside + workPerCharacter * text.length };
    let masked = replaced(text, this.#anchors.find(text, budget), mask);
    // A replace that finds nothing returns the same text.
    for (const pattern of this.#patterns) masked = masked.replace(pattern, mask);
    for (const form of this.#loose) masked = form.without(masked, mask, budget);
    return budget.left < 0 ? mask : masked;
  }

  /** Whether a text holds one of the values. A text on which too much work would have to be done counts as one that does. */
  holds(text: string): boolean {
    return this.without(text, replacement) !== text;
  }
}

/** Replaces a found value; no text of a request contains it. */
const replacement = '\0';

/** The anchor of each form by which it is found: the one that the fewest others have. */
function rarestAnchors(forms: readonly SecretForm[]): Map<SecretForm, Anchor> {
  const counts = new Map<string, number>();
  for (const { anchors } of forms) for (const { text } of anchors) counts.set(text, (counts.get(text) ?? 0) + 1);
  const chosen = new Map<SecretForm, Anchor>();
  for (const form of forms) {
    let least = Infinity;
    for (const anchor of form.anchors) {
      const count = counts.get(anchor.text) ?? 0;
      if (count >= least) continue;
      least = count;
      chosen.set(form, anchor);
    }
  }
  return chosen;
}

/** A form, and the anchor by which it is found. */
type Anchored = readonly [form: SecretForm, anchor: Anchor];

type Span = readonly [start: number, end: number];

/** Letters and digits as six bits each, and everything else as one more. */
const codes = new Uint8Array(128).fill(63);
for (let i = 0; i < 62; i++) {
  codes['0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.charCodeAt(i)] = i;
}

/** Four characters in 24 bits. */
const windowMask = 0xff_ffff;
const windowSize = 0x100_0000;

/** The anchors of many forms, found in one walk over a text. */
class Anchors {
  readonly #long = new Map<number, Anchored[]>();
  readonly #short = new Map<number, Anchored[]>();
  /** By the last four characters, hashed: 1 where a long anchor may end, 2 where a short one may. */
  readonly #ends = new Uint8Array(0x1_0000);

  add(form: SecretForm, anchor: Anchor): void {
    let high = 0;
    let low = 0;
    for (const character of anchor.text) {
      high = ((high << 6) | (low >>> 18)) & windowMask;
      low = ((low << 6) | (codes[character.charCodeAt(0)] ?? 63)) & windowMask;
    }
    const isLong = anchor.text.length === longAnchor;
    const [map, key] = isLong ? [this.#long, high * windowSize + low] : [this.#short, low];
    const known = map.get(key);
    if (known === undefined) map.set(key, [[form, anchor]]);
    else known.push([form, anchor]);
    const slot = slotOf(low);
    this.#ends[slot] = (this.#ends[slot] ?? 0) | (isLong ? 1 : 2);
  }

  /** Where forms are in a text, in no order. */
  find(text: string, budget: Budget): readonly Span[] {
    const found: Span[] = [];
    if (this.#long.size + this.#short.size === 0) return found;
    const ends = this.#ends;
    let high = 0;
    let low = windowMask;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      high = ((high << 6) | (low >>> 18)) & windowMask;
      low = ((low << 6) | (unit < 128 ? (codes[unit] as number) : 63)) & windowMask;
      const kinds = ends[slotOf(low)] as number;
      if (kinds === 0) continue;
      if ((kinds & 1) !== 0 && i + 1 >= longAnchor) {
        compare(this.#long.get(high * windowSize + low), text, i + 1 - longAnchor, budget, found);
      }
      if ((kinds & 2) !== 0 && i + 1 >= shortAnchor) {
        compare(this.#short.get(low), text, i + 1 - shortAnchor, budget, found);
      }
      if (budget.left < 0) break;
    }
    return found;
  }
}

function slotOf(window: number): number {
  return Math.imul(window, 0x9e37_79b1) >>> 16;
}

function compare(
  forms: readonly Anchored[] | undefined,
  text: string,
  at: number,
  budget: Budget,
  found: Span[],
): void {
  if (forms === undefined) return;
  for (const [form, anchor] of forms) {
    budget.left--;
    if (budget.left < 0) return;
    const span = form.around(anchor, text, at, budget);
    if (span !== undefined) found.push(span);
  }
}

/** The text with a mask for all spans that overlap one another. */
function replaced(text: string, spans: readonly Span[], mask: string): string {
  if (spans.length === 0) return text;
  const [first, ...others] = [...spans].sort(([x], [y]) => x - y) as [Span, ...Span[]];
  let masked = text.slice(0, first[0]) + mask;
  let [, end] = first;
  for (const [start, last] of others) {
    if (start >= end) masked += text.slice(end, start) + mask;
    end = Math.max(end, last);
  }
  return masked + text.slice(end);
}

function grouped(sources: readonly string[]): RegExp[] {
  const groups: string[] = [];
  for (const source of sources) {
    const last = groups.at(-1);
    if (last === undefined || last.length + source.length > patternLength) groups.push(source);
    else groups[groups.length - 1] = `${last}|${source}`;
  }
  return groups.map((group) => new RegExp(group, 'g'));
}
