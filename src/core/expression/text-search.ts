import { charsPerStep, readCharsPerStep } from '../meter.ts';

/** Maximum needle length for the built-in search, whose worst case is this many times the text length. */
const shortNeedle = 8;

/** Number of characters examined one by one per step. */
const charsOneByOne = 16;

/** Cost, in steps, of a jump to the next candidate position. */
const jumpSteps = 0.5;

/** Whether `text` contains `needle`; see {@link findText}. */
export function holdsText(text: string, needle: string, spend: (steps: number) => void): boolean {
  return findText(text, needle, 0, spend) !== -1;
}

/**
 * The position of the first `needle` in `text` at or after `from`, or -1, in linear time for any input. Charges the work
 * through `spend`, in steps; `spend` may throw.
 *
 * `String.prototype.includes` takes time proportional to the product of both lengths if a long needle almost matches
 * everywhere: 450 KB of one repeated letter took six seconds. This function uses the built-in search to find the next
 * position where the first few characters of the needle occur, and the algorithm of Knuth, Morris and Pratt from there
 * until nothing matches.
 */
export function findText(text: string, needle: string, from: number, spend: (steps: number) => void): number {
  if (needle.length <= shortNeedle || needle.length > text.length - from) {
    const found = needle.length > text.length - from ? -1 : text.indexOf(needle, from);
    spend(((found === -1 ? text.length : found + needle.length) - from) / readCharsPerStep);
    return found;
  }
  spend(needle.length / charsOneByOne);
  const borders = bordersOf(needle);
  const begin = needle.slice(0, shortNeedle);
  const last = text.length - needle.length;
  let at = from;
  while (at <= last) {
    const found = text.indexOf(begin, at);
    if (found === -1 || found > last) {
      spend((text.length - at) / charsPerStep);
      return -1;
    }
    spend((found - at) / charsPerStep + jumpSteps);
    // From here on, compare character by character as long as a prefix of the needle matches.
    let fits = begin.length;
    at = found + fits;
    const begun = at;
    while (fits > 0 && at < text.length) {
      const code = text.charCodeAt(at);
      while (fits > 0 && needle.charCodeAt(fits) !== code) fits = borders[fits - 1] as number;
      if (needle.charCodeAt(fits) === code) fits++;
      at++;
      if (fits === needle.length) {
        spend(((at - begun) & spendMask) / charsOneByOne);
        return at - needle.length;
      }
      if (((at - begun) & spendMask) === 0) spend((spendMask + 1) / charsOneByOne);
    }
    spend(((at - begun) & spendMask) / charsOneByOne);
  }
  return -1;
}

/** Characters are charged in blocks of this number plus one, which is a power of two. */
const spendMask = 0xf_ff;

/** For each prefix of the needle, the length of its longest proper prefix that is also its suffix. */
function bordersOf(needle: string): Int32Array {
  const borders = new Int32Array(needle.length);
  let fits = 0;
  for (let i = 1; i < needle.length; i++) {
    const code = needle.charCodeAt(i);
    while (fits > 0 && needle.charCodeAt(fits) !== code) fits = borders[fits - 1] as number;
    if (needle.charCodeAt(fits) === code) fits++;
    borders[i] = fits;
  }
  return borders;
}
