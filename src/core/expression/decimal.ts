/**
 * Exact decimal arithmetic on JSON numbers.
 *
 * Operands are taken with all their digits. A sum, difference, product or quotient is rounded once, half even, to 34 significant
 * digits, the precision of IEEE 754 decimal128; everything else is exact. Each operation is charged by the digits that it works
 * on before it runs.
 */
import { Decimal } from 'decimal.js';
import { readCharsPerStep } from '../meter.ts';
import { isRawNumber, rawNumber, type RawNumber } from '../value/json.ts';
import type { Budget } from './budget.ts';

/** A JSON number: a double whose digits are the number's, or the digits themselves. */
export type JsonNumber = number | RawNumber;

/** Significant digits of a result. */
const precision = 34;

/** Bound of decimal exponents: that of IEEE 754 decimal128. */
const maxExponent = 6144;

/** Numbers from 1e-7 to below 1e34 are written without an exponent. */
const plainFrom = -8;
const plainTo = 34;

/** More than an operand can have, so that no operation of {@link Exact} rounds. */
const unlimitedDigits = 1_000_000_000;

/** Rounds quotients, which may have no end. */
const Rounded = Decimal.clone({ precision, rounding: Decimal.ROUND_HALF_EVEN, defaults: true });

/** Adds, multiplies and compares without rounding. */
const Exact = Decimal.clone({
  precision: unlimitedDigits,
  rounding: Decimal.ROUND_HALF_EVEN,
  toExpNeg: plainFrom,
  toExpPos: plainTo,
  defaults: true,
});

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** Whether a value is a number. */
export function isNumber(value: unknown): value is JsonNumber {
  return typeof value === 'number' || isRawNumber(value);
}

/**
 * The value as a number: a number, a text that is a JSON number, null and false (0), true (1). Undefined for anything else.
 * Charges the reading of a text.
 */
export function numeric(value: unknown, budget: Budget): JsonNumber | undefined {
  if (typeof value === 'number' || value === null) return value ?? 0;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (isRawNumber(value)) return value;
  if (typeof value !== 'string') return undefined;
  budget.spend(value.length / readCharsPerStep);
  return jsonNumber.test(value) ? numberOfDigits(value) : undefined;
}

/** A JSON number of digits: a double where the double has the same digits. */
export function numberOfDigits(digits: string): JsonNumber {
  const double = Number(digits);
  return String(double) === digits ? double : rawNumber(digits);
}

/** The operand of an operation. Throws a sentence when the value is no number, or its exponent exceeds {@link maxExponent}. */
function operand(value: unknown, operator: string, budget: Budget): Decimal {
  const number = numeric(value, budget);
  if (number === undefined) throw new Error(`The operator "${operator}" needs a number and was given something else.`);
  const decimal = decimalOf(number, budget);
  if (!decimal.isZero() && Math.abs(decimal.e) > maxExponent) throw exponentFault(operator);
  return decimal;
}

function exponentFault(operator: string): Error {
  return new Error(`The operator "${operator}" meets a number with an exponent beyond ${String(maxExponent)}.`);
}

function decimalOf(value: JsonNumber, budget: Budget): Decimal {
  if (typeof value === 'number') return new Exact(value);
  const known = decimals.get(value);
  if (known !== undefined) return known;
  budget.spend(value.rawJSON.length / readCharsPerStep);
  const decimal = new Exact(value.rawJSON);
  decimals.set(value, decimal);
  return decimal;
}

/** Numbers of many digits that were read: a search compares one with each item of a list. */
const decimals = new WeakMap<RawNumber, Decimal>();

/** Base-1e7 words of a number, with the zeros that an operation may fill in. */
function words(x: Decimal): number {
  return x.d.length + Math.abs(x.e) / 7;
}

/** Word operations that one step does. */
const wordsPerStep = 128;

function charge(budget: Budget, wordOperations: number): void {
  budget.spend(wordOperations / wordsPerStep);
}

/** The JSON number of a result, without trailing zeros; -0 is 0. */
function result(x: Decimal, operator: string): JsonNumber {
  if (x.isZero()) return 0;
  if (Math.abs(x.e) > maxExponent) throw exponentFault(operator);
  return numberOfDigits(x.toString());
}

function roundedResult(x: Decimal, operator: string): JsonNumber {
  return result(x.toSignificantDigits(precision, Decimal.ROUND_HALF_EVEN), operator);
}

/** Whether the operation on doubles is exact: all of it in safe integers. */
function isSafe(a: unknown, b: unknown, sum: unknown): boolean {
  return Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(sum);
}

/** The sum of values, rounded once. No values sum to 0. */
export function sum(values: readonly unknown[], operator: string, budget: Budget): JsonNumber {
  budget.spend(values.length);
  const [a, b] = values;
  if (values.length === 2 && typeof a === 'number' && typeof b === 'number' && isSafe(a, b, a + b)) return a + b;
  let total = new Exact(0);
  for (const value of values) {
    const term = operand(value, operator, budget);
    charge(budget, words(total) + words(term));
    total = total.plus(term);
  }
  return roundedResult(total, operator);
}

/** The first value less all others, rounded once; of a single value its negative. */
export function difference(values: readonly unknown[], budget: Budget): JsonNumber {
  budget.spend(values.length);
  const [a, b] = values;
  if (values.length === 2 && typeof a === 'number' && typeof b === 'number' && isSafe(a, b, a - b)) return a - b;
  if (values.length === 0) throw new Error('The operator "-" needs a number.');
  let total = operand(a, '-', budget);
  if (values.length === 1) return roundedResult(total.negated(), '-');
  for (const value of values.slice(1)) {
    const term = operand(value, '-', budget);
    charge(budget, words(total) + words(term));
    total = total.minus(term);
  }
  return roundedResult(total, '-');
}

/** The product of values, rounded once. The product of none is 1. */
export function product(values: readonly unknown[], budget: Budget): JsonNumber {
  budget.spend(values.length);
  const [a, b] = values;
  if (values.length === 2 && typeof a === 'number' && typeof b === 'number' && isSafe(a, b, a * b)) return a * b || 0;
  let total: Decimal = new Exact(1);
  for (const value of values) {
    const factor = operand(value, '*', budget);
    charge(budget, (total.d.length + 1) * (factor.d.length + 1));
    total = total.times(factor);
    if (!total.isZero() && Math.abs(total.e) > maxExponent) throw exponentFault('*');
  }
  return roundedResult(total, '*');
}

/** The first value divided by all others, each quotient rounded; of a single value its reciprocal. */
export function quotient(values: readonly unknown[], budget: Budget): JsonNumber {
  budget.spend(values.length);
  if (values.length === 0) throw new Error('The operator "/" needs a number.');
  const [first, ...rest] = values.length === 1 ? [1, values[0]] : values;
  let total = operand(first, '/', budget);
  for (const value of rest) {
    const divisor = operand(value, '/', budget);
    if (divisor.isZero()) throw new Error('The operator "/" divides by zero.');
    charge(budget, (total.d.length + precision) * 2 + divisor.d.length * precision);
    total = new Exact(new Rounded(total).dividedBy(divisor));
  }
  return result(total, '/');
}

/** The remainder of a division, exact, with the sign of the first value. */
export function remainder(values: readonly unknown[], budget: Budget): JsonNumber {
  budget.spend(values.length);
  if (values.length < 2) throw new Error('The operator "%" needs two numbers.');
  let total = operand(values[0], '%', budget);
  for (const value of values.slice(1)) {
    const divisor = operand(value, '%', budget);
    if (divisor.isZero()) throw new Error('The operator "%" divides by zero.');
    charge(budget, (words(total) + words(divisor)) * (words(divisor) + 1));
    total = total.modulo(divisor);
  }
  return result(total, '%');
}

/** Compares two numbers by value: negative, zero or positive. */
export function compareNumbers(a: JsonNumber, b: JsonNumber, budget: Budget): number {
  // The shortest digits of doubles are in the order of the doubles.
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  const x = decimalOf(a, budget);
  const y = decimalOf(b, budget);
  charge(budget, Math.min(x.d.length, y.d.length));
  return x.comparedTo(y);
}

/** Numbers of many digits that were looked at: a loop may ask for one number as often as its budget allows. */
const zeros = new WeakMap<RawNumber, boolean>();

/** Whether a number is 0. Its digits are read once, so that it costs nothing to ask again. */
export function isZero(value: JsonNumber): boolean {
  if (typeof value === 'number') return value === 0;
  let known = zeros.get(value);
  if (known === undefined) {
    known = hasNoDigit(value.rawJSON);
    zeros.set(value, known);
  }
  return known;
}

/** Whether all digits before an exponent are 0. */
function hasNoDigit(digits: string): boolean {
  for (const char of digits) {
    if (char === 'e' || char === 'E') return true;
    if (char >= '1' && char <= '9') return false;
  }
  return true;
}

/** The greatest or least of values, with the digits that it was given. Throws when there is none. */
export function extreme(values: readonly unknown[], operator: 'max' | 'min', budget: Budget): JsonNumber {
  budget.spend(values.length);
  let best: JsonNumber | undefined;
  for (const value of values) {
    const number = numeric(value, budget);
    if (number === undefined)
      throw new Error(`The operator "${operator}" needs a number and was given something else.`);
    const order = best === undefined ? 1 : compareNumbers(number, best, budget);
    if (best === undefined || (operator === 'max' ? order > 0 : order < 0)) best = number;
  }
  if (best === undefined) throw new Error(`The operator "${operator}" was given no number.`);
  return best;
}

/** Names of rounding modes with the library's numbers. */
const modes: Readonly<Record<string, Decimal.Rounding>> = {
  half_even: Decimal.ROUND_HALF_EVEN,
  half_up: Decimal.ROUND_HALF_UP,
  half_down: Decimal.ROUND_HALF_DOWN,
  up: Decimal.ROUND_UP,
  down: Decimal.ROUND_DOWN,
  ceil: Decimal.ROUND_CEIL,
  floor: Decimal.ROUND_FLOOR,
};

/** The rounding modes of {@link rounded}; the first is the default. */
export const roundingModes: readonly string[] = Object.keys(modes);

/** Bound of the places of {@link rounded}, in both directions. */
export const maxPlaces = 34;

/** Places of a rounding. Throws when the value is no integer within {@link maxPlaces}. */
export function placesOf(value: unknown, operator: string, budget: Budget): number {
  const places = operand(value, operator, budget);
  if (!places.isInteger() || places.abs().greaterThan(maxPlaces)) {
    throw new Error(`The operator "${operator}" takes from -${String(maxPlaces)} to ${String(maxPlaces)} places.`);
  }
  return places.toNumber();
}

function roundedTo(x: Decimal, places: number, mode: string, operator: string): Decimal {
  const rounding = Object.hasOwn(modes, mode) ? modes[mode] : undefined;
  if (rounding === undefined)
    throw new Error(`The operator "${operator}" knows the rounding modes ${roundingModes.join(', ')}.`);
  return places >= 0 ? x.toDecimalPlaces(places, rounding) : x.toNearest(new Exact(10).pow(-places), rounding);
}

/** The value rounded to decimal places (negative: to tens, hundreds, …), exact. */
export function rounded(value: unknown, places: number, mode: string, operator: string, budget: Budget): JsonNumber {
  const x = operand(value, operator, budget);
  charge(budget, words(x));
  return result(roundedTo(x, places, mode, operator), operator);
}

/** The absolute value, exact. */
export function absolute(value: unknown, budget: Budget): JsonNumber {
  return result(operand(value, 'abs', budget).abs(), 'abs');
}

/** Digits with exactly so many places, rounded half even, without an exponent. Charges and counts the text. */
export function fixedText(value: unknown, places: number, operator: string, budget: Budget): string {
  if (places < 0) throw new Error(`The operator "${operator}" takes from 0 to ${String(maxPlaces)} places.`);
  const x = operand(value, operator, budget);
  const length = Math.abs(x.e) + places + x.d.length * 7;
  budget.spend(length / readCharsPerStep);
  budget.build(length);
  const text = x.toFixed(places, Decimal.ROUND_HALF_EVEN);
  return /^-[0.]*$/.test(text) ? text.slice(1) : text;
}

/** The number as an integer within a range. Throws a sentence otherwise. */
export function integer(value: unknown, operator: string, from: number, to: number, budget: Budget): number {
  const x = operand(value, operator, budget);
  if (!x.isInteger() || x.lessThan(from) || x.greaterThan(to)) {
    throw new Error(`The operator "${operator}" needs a whole number from ${String(from)} to ${String(to)}.`);
  }
  return x.toNumber();
}

/** Digits that are the same for all numbers of one value. */
export function normalDigits(value: JsonNumber, budget: Budget): string {
  const x = decimalOf(value, budget);
  return x.isZero() ? '0' : x.toExponential();
}
