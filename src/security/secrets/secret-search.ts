import { type Anchor, type Budget, formsOf, longAnchor, type SecretForm, shortAnchor } from './secret-forms.ts';

/** Shorter secrets are not masked by value, since they would match everywhere. */
const minMaskedLength = 4;

/** Average work per character of a text, and the extra allowance that short texts need, in compared characters. */
const workPerCharacter = 64;
const workBeside = 16_384;

/**
 * Short forms without an anchor are grouped into expressions of about this length, which V8 accepts and which need few
 * passes over a text.
 */
const patternLength = 16_384;

/**
 * Finds a set of values in texts, as any encoder writes them. Immutable. The time grows with the text alone, not with
 * the number of secrets or what they have in common with the text.
 *
 * Every form of every secret has an anchor: a few letters and digits in a row that no encoder changes. One walk over a
 * text finds all anchors, and only there is the rest of the form compared. The few forms without an anchor, passwords
 * full of punctuation, are matched by regular expressions. Comparisons are charged to a budget that only a crafted text
 * exceeds; such a text is masked as a whole.
 */
export class SecretSearch {
  readonly #forms: ReadonlyMap<string, readonly SecretForm[]>;
  readonly #patterns: readonly RegExp[];
  /** Long forms without an anchor. */
  readonly #loose: readonly SecretForm[];
  readonly #anchors = new Anchors();

  /** Reuses the forms of values that `before` searches for, too. */
  constructor(values: Iterable<string>, before?: SecretSearch) {
    const forms = new Map<string, readonly SecretForm[]>();
    for (const value of values) {
      if (value.length >= minMaskedLength) forms.set(value, before?.formsOf(value) ?? formsOf(value));
    }
    this.#forms = forms;
    // Longest first: masking a secret that is a prefix of another must not leave the rest of the longer one.
    const all = [...forms].sort(([x], [y]) => y.length - x.length).flatMap(([, of]) => of);
    for (const [form, anchor] of rarestAnchors(all)) this.#anchors.add(form, anchor);
    this.#patterns = grouped(all.flatMap(({ short }) => short ?? []));
    this.#loose = all.filter(({ anchors, short }) => anchors.length === 0 && short === undefined);
  }

  /** The forms of a value; undefined if the search does not include it. */
  formsOf(value: string): readonly SecretForm[] | undefined {
    return this.#forms.get(value);
  }

  /** Replaces every value in a text by `mask`; returns the same text if it contains none. */
  without(text: string, mask: string): string {
    if (this.#forms.size === 0 || text.length < minMaskedLength) return text;
    const budget = { left: workBeside + workPerCharacter * text.length };
    let masked = replaced(text, this.#anchors.find(text, budget), mask);
    // A replacement without a match returns the same text.
    for (const pattern of this.#patterns) masked = masked.replace(pattern, mask);
    for (const form of this.#loose) masked = form.without(masked, mask, budget);
    return budget.left < 0 ? mask : masked;
  }

  /** Whether a text contains one of the values. True for a text that exceeds the work budget. */
  holds(text: string): boolean {
    return this.without(text, replacement) !== text;
  }
}

/** Replaces a found value; no text of a request contains it. */
const replacement = '\0';

/** The anchor to find each form by: the one that the fewest other forms share. */
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

/** A form and the anchor that finds it. */
type Anchored = readonly [form: SecretForm, anchor: Anchor];

type Span = readonly [start: number, end: number];

/** Letters and digits as six bits each, and one code for everything else. */
const codes = new Uint8Array(128).fill(63);
for (let i = 0; i < 62; i++) {
  codes['0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.charCodeAt(i)] = i;
}

/** The bits of four characters. */
const windowMask = 0xff_ffff;
const windowSize = 0x100_0000;

/** Finds the anchors of many forms in one walk over a text. */
class Anchors {
  readonly #long = new Map<number, Anchored[]>();
  readonly #short = new Map<number, Anchored[]>();
  /** Bits by the hash of the last four characters: 1 if a long anchor may end there, 2 if a short one may. */
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

  /** The spans of all forms in a text, unordered. */
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

/** Replaces each group of overlapping spans by one mask. */
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
