/**
 * Search for a text in a text, in linear time whatever they hold.
 *
 * `String.prototype.includes` takes the product of both lengths where a long needle almost fits everywhere: 450 KB of one repeated
 * letter took it six seconds. Here the engine's own search finds the next place where the needle's first few characters stand, and the
 * algorithm of Knuth, Morris and Pratt goes on from there until nothing fits any more.
 */
import { charsPerStep, readCharsPerStep } from '../meter.ts';

/** Up to this length the engine's own search is as good: its worst case is this many times the text. */
const shortNeedle = 8;

/** Characters that one step goes through one by one. */
const charsOneByOne = 16;

/** Steps of a jump to the next place that may be one. */
const jumpSteps = 0.5;

/**
 * Whether `needle` stands in `text`. `spend` is told of the work, in steps, before a good part of it is done, and may throw.
 */
export function holdsText(text: string, needle: string, spend: (steps: number) => void): boolean {
  if (needle.length <= shortNeedle || needle.length > text.length) {
    spend(text.length / readCharsPerStep);
    return needle.length <= text.length && text.includes(needle);
  }
  spend(needle.length / charsOneByOne);
  const borders = bordersOf(needle);
  const begin = needle.slice(0, shortNeedle);
  const last = text.length - needle.length;
  let at = 0;
  while (at <= last) {
    const found = text.indexOf(begin, at);
    if (found === -1 || found > last) {
      spend((text.length - at) / charsPerStep);
      return false;
    }
    spend((found - at) / charsPerStep + jumpSteps);
    // From here on character by character, for as long as the end of what was read may be the needle's beginning.
    let fits = begin.length;
    at = found + fits;
    const from = at;
    while (fits > 0 && at < text.length) {
      const code = text.charCodeAt(at);
      while (fits > 0 && needle.charCodeAt(fits) !== code) fits = borders[fits - 1] as number;
      if (needle.charCodeAt(fits) === code) fits++;
      at++;
      if (fits === needle.length) return true;
      if (((at - from) & spendMask) === 0) spend((spendMask + 1) / charsOneByOne);
    }
    spend(((at - from) & spendMask) / charsOneByOne);
  }
  return false;
}

/** Characters that are gone through before they are paid for, less one; a power of two, less one. */
const spendMask = 0xf_ff;

/** For each beginning of the needle how long its longest proper beginning is that is also its end. */
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
