import { charsPerStep, readCharsPerStep } from '../../meter.ts';
import { isRawNumber, numberText } from '../../value/json.ts';
import type { Budget } from '../budget.ts';
import { compareNumbers, isNumber, isZero, numeric } from '../decimal.ts';
import { argumentsOf, type Method } from './method.ts';

/** Truthiness in JSON Logic: as in JavaScript, except that an empty array is false. */
export function truthy(value: unknown): boolean {
  if (isRawNumber(value)) return !isZero(value);
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** A method that compares each argument with the next, and stops evaluating at the first pair that does not match. */
export function comparing(fits: (a: unknown, b: unknown) => boolean): Method {
  return {
    lazy: true,
    deterministic: false,
    method: (args, context, _above, engine) => {
      const list = argumentsOf(args);
      if (list.length < 2) throw new Error('An operator that compares needs two values.');
      let left = engine.run(list[0], context) as unknown;
      for (let i = 1; i < list.length; i++) {
        const right = engine.run(list[i], context) as unknown;
        if (!fits(left, right)) return false;
        left = right;
      }
      return true;
    },
  };
}

/** Whether two values are of one type and equal; lists and objects only when they are the same one. */
export function identical(a: unknown, b: unknown, budget: Budget): boolean {
  if (a === b) return typeof a !== 'string' || chargedLength(a, budget);
  if (typeof a === 'string' && typeof b === 'string')
    return a.length === b.length && chargedLength(a, budget) && a === b;
  return isNumber(a) && isNumber(b) && compareNumbers(a, b, budget) === 0;
}

function chargedLength(text: string, budget: Budget): true {
  budget.spend(text.length / charsPerStep);
  return true;
}

/**
 * Compares strings by code units and everything else as numbers. Throws for values that are not numbers, except that a
 * string compared with null is false.
 */
export function ordered(a: unknown, b: unknown, budget: Budget, fits: (order: number) => boolean): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spend(Math.min(a.length, b.length) / charsPerStep);
    return fits(a < b ? -1 : a > b ? 1 : 0);
  }
  const x = numeric(a, budget);
  const y = numeric(b, budget);
  if (x !== undefined && y !== undefined) return fits(compareNumbers(x, y, budget));
  if ((a === null && typeof b === 'string') || (b === null && typeof a === 'string')) return false;
  throw new Error('An operator of the condition needs a number and was given something else.');
}

/**
 * JavaScript's `==`, except that null equals only null, that numbers are compared by value, and that a list or object equals
 * another one only when it is the same.
 */
export function looselyEqual(a: unknown, b: unknown, budget: Budget): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (left === null || right === null) return left === right;
  const [isLeftPart, isRightPart] = [isComposite(left), isComposite(right)];
  if (isLeftPart && isRightPart) return left === right;
  const x = isLeftPart ? toText(left, budget) : left;
  const y = isRightPart ? toText(right, budget) : right;
  if (typeof x === 'string' && typeof y === 'string') return identical(x, y, budget);
  const p = numeric(x, budget);
  const q = numeric(y, budget);
  if (p !== undefined && q !== undefined) return compareNumbers(p, q, budget) === 0;
  // A text that is no JSON number, such as "" or " 5 ", and a number.
  return doubleOf(x, budget) === doubleOf(y, budget);
}

/** Whether a value is a list or an object. */
export function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRawNumber(value);
}

/** The value as a double, as JavaScript converts it; lists and objects by their text. Charges the conversion. */
export function doubleOf(value: unknown, budget: Budget): number {
  if (isRawNumber(value)) return Number(numberText(value));
  const flat = isComposite(value) ? toText(value, budget) : value;
  if (typeof flat === 'string') budget.spend(flat.length / readCharsPerStep);
  return Number(flat);
}

/** Converts a value to text as JavaScript does, but charged, and without calling methods found in the data. */
export function toText(value: unknown, budget: Budget): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') {
    budget.spend(value.length / charsPerStep);
    return value;
  }
  if (Array.isArray(value)) return joined(value, ',', budget);
  if (isNumber(value)) return numberText(value);
  return typeof value === 'boolean' ? String(value) : '[object Object]';
}

/** Joins the texts of values; charges their number and the length of the result. */
export function joined(values: readonly unknown[], separator: string, budget: Budget): string {
  budget.spend(values.length + 1);
  const texts = values.map((item) => toText(item, budget));
  let length = Math.max(0, texts.length - 1) * separator.length;
  for (const text of texts) length += text.length;
  budget.spend(length / charsPerStep);
  budget.build(length);
  return texts.join(separator);
}
