import { charsPerStep, readCharsPerStep } from '../../meter.ts';
import type { Budget } from '../budget.ts';
import { fromBase64, toBase64 } from '../../value/base64.ts';
import { integer } from '../decimal.ts';
import { findText, holdsText } from '../text-search.ts';
import { doubleOf, identical, isComposite, joined, toText } from './compare.ts';
import { itemsOf } from './iterate.ts';
import { eager, type Method } from './method.ts';

/** Longest text that `pad_start` makes, in UTF-16 units. */
const maxPadded = 1_048_576;

/** Most UTF-16 units that one becomes in another case: `ΐ` has three in upper case. */
const unitsPerCase = 3;

/** The argument as text: a text, a number or a truth value. Throws for anything else. */
export function textOf(value: unknown, operator: string, budget: Budget): string {
  if (value === null || value === undefined || isComposite(value)) {
    throw new Error(`The operator "${operator}" needs a text and was given something else.`);
  }
  return toText(value, budget);
}

/** The argument as text that is not empty. */
function searched(value: unknown, operator: string, budget: Budget): string {
  const text = textOf(value, operator, budget);
  if (text === '') throw new Error(`The operator "${operator}" needs a text to look for.`);
  return text;
}

/** Charges a text that is made of another. */
function charged(text: string, budget: Budget): string {
  budget.spend(text.length / charsPerStep);
  budget.build(text.length);
  return text;
}

/** Splits a text at each separator, in linear time. */
function split(text: string, separator: string, budget: Budget): readonly string[] {
  const spend = (steps: number): void => {
    budget.spend(steps);
  };
  const parts: string[] = [];
  let from = 0;
  for (let at = findText(text, separator, 0, spend); at !== -1; at = findText(text, separator, from, spend)) {
    budget.spend(1);
    parts.push(charged(text.slice(from, at), budget));
    from = at + separator.length;
  }
  parts.push(charged(text.slice(from), budget));
  return parts;
}

/** The `substr` of JSON Logic: a negative length omits that many characters at the end. */
function substring(text: unknown, from: number, length: number): string {
  if (typeof text !== 'string') throw new TypeError('There is no text to take a part of.');
  const start = Number.isNaN(from) ? 0 : from < 0 ? Math.max(0, text.length + Math.trunc(from)) : from;
  const rest = text.slice(start);
  if (length < 0) return rest.slice(0, Math.max(0, rest.length + length));
  return rest.slice(0, Number.isNaN(length) ? 0 : length);
}

/** Returns the text. Throws for half of a surrogate pair, which has no UTF-8. */
function wellFormed(text: string, operator: string): string {
  if (!text.isWellFormed()) throw new Error(`The operator "${operator}" was given a text with half a character.`);
  return text;
}

/** Operators of texts. Lengths and places are in UTF-16 units. */
export function textMethods(budget: Budget): Record<string, Method> {
  const spend = (steps: number): void => {
    budget.spend(steps);
  };
  const text = (value: unknown, operator: string): string => textOf(value, operator, budget);
  const cased = (operator: string, change: (value: string) => string): Method =>
    eager(([value]) => {
      const source = text(value, operator);
      budget.spend(source.length / readCharsPerStep);
      budget.build(source.length * unitsPerCase);
      return change(source);
    });
  return {
    cat: eager((args) => joined(args, '', budget)),
    substr: eager(([value, from, length]) =>
      substring(value, doubleOf(from ?? 0, budget), length === undefined ? Infinity : doubleOf(length, budget)),
    ),
    in: eager(([needle, haystack]) => {
      if (typeof haystack === 'string') return holdsText(haystack, toText(needle, budget), spend);
      if (!Array.isArray(haystack)) return false;
      budget.spend(haystack.length);
      return haystack.some((item) => identical(item, needle, budget));
    }),
    lower: cased('lower', (value) => value.toLowerCase()),
    upper: cased('upper', (value) => value.toUpperCase()),
    trim: eager(([value]) => charged(text(value, 'trim').trim(), budget)),
    split: eager(([value, separator]) => split(text(value, 'split'), searched(separator, 'split', budget), budget)),
    join: eager(([list, separator]) =>
      joined(itemsOf(list, budget), separator === undefined ? '' : text(separator, 'join'), budget),
    ),
    replace: eager(([value, search, replacement]) =>
      joined(
        split(text(value, 'replace'), searched(search, 'replace', budget), budget),
        text(replacement, 'replace'),
        budget,
      ),
    ),
    starts_with: eager(([value, begin]) => text(value, 'starts_with').startsWith(text(begin, 'starts_with'))),
    ends_with: eager(([value, end]) => text(value, 'ends_with').endsWith(text(end, 'ends_with'))),
    pad_start: eager(([value, length, fill]) => {
      const source = text(value, 'pad_start');
      const wanted = integer(length, 'pad_start', 0, maxPadded, budget);
      budget.spend(wanted / charsPerStep);
      budget.build(wanted);
      return source.padStart(wanted, fill === undefined ? ' ' : text(fill, 'pad_start'));
    }),
    uri_encode: eager(([value]) => {
      const source = wellFormed(text(value, 'uri_encode'), 'uri_encode');
      budget.spend(source.length / readCharsPerStep);
      return charged(encodeURIComponent(source), budget);
    }),
    base64_encode: eager(([value]) => {
      const source = wellFormed(text(value, 'base64_encode'), 'base64_encode');
      budget.spend(source.length / readCharsPerStep);
      return charged(toBase64(source), budget);
    }),
    base64_decode: eager(([value]) => {
      const source = text(value, 'base64_decode');
      budget.spend(source.length / readCharsPerStep);
      const decoded = fromBase64(source);
      if (decoded === undefined)
        throw new Error('The operator "base64_decode" was given something that is not the base64 of a UTF-8 text.');
      return charged(decoded, budget);
    }),
  };
}
