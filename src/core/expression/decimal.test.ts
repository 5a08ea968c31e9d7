import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, numberText } from '../value/json.ts';
import { Budget } from './budget.ts';
import {
  compareNumbers,
  difference,
  isZero,
  type JsonNumber,
  numberOfDigits,
  product,
  quotient,
  remainder,
  rounded,
  sum,
} from './decimal.ts';

/** A fraction of whole numbers; the divisor is positive. */
interface Rational {
  readonly over: bigint;
  readonly under: bigint;
}

const budget = (): Budget => new Budget(1_000_000);

function rational(value: JsonNumber): Rational {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]?\d+))?$/i.exec(numberText(value)) ?? [];
  const power = Number(exponent) - fraction.length;
  const over = BigInt(`${sign}${whole}${fraction}`);
  return power >= 0 ? { over: over * 10n ** BigInt(power), under: 1n } : { over, under: 10n ** BigInt(-power) };
}

const isEqual = (a: Rational, b: Rational): boolean => a.over * b.under === b.over * a.under;

/** The fraction rounded half even to so many significant digits. */
function roundedTo({ over, under }: Rational, digits: number): Rational {
  if (over === 0n) return { over, under: 1n };
  const sign = over < 0n ? -1n : 1n;
  const size = over * sign;
  // The decimal exponent of the last kept digit.
  let last = size.toString().length - under.toString().length - digits;
  const scaled = (): bigint =>
    last >= 0 ? size / (under * 10n ** BigInt(last)) : (size * 10n ** BigInt(-last)) / under;
  while (scaled() >= 10n ** BigInt(digits)) last++;
  while (scaled() < 10n ** BigInt(digits - 1)) last--;
  const [top, bottom] = last >= 0 ? [size, under * 10n ** BigInt(last)] : [size * 10n ** BigInt(-last), under];
  const kept = top / bottom;
  const twice = (top % bottom) * 2n;
  const up = twice > bottom || (twice === bottom && kept % 2n === 1n);
  const result = (kept + (up ? 1n : 0n)) * sign;
  return last >= 0 ? { over: result * 10n ** BigInt(last), under: 1n } : { over: result, under: 10n ** BigInt(-last) };
}

/** Numbers as downstreams send them: short, long, with trailing zeros, with exponents. */
const number: fc.Arbitrary<JsonNumber> = fc
  .tuple(
    fc.boolean(),
    fc.oneof(
      fc.constantFrom('0', '1', '5', '25', '9'.repeat(34), '9'.repeat(40)),
      fc.stringMatching(/^[1-9]\d{0,40}$/),
    ),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,40}$/), fc.constantFrom('.5', '.50', '.05')),
    fc.oneof(
      { weight: 4, arbitrary: fc.constant('') },
      fc.integer({ min: -60, max: 60 }).map((e) => `e${String(e)}`),
    ),
  )
  .map(([isNegative, whole, fraction, exponent]) =>
    numberOfDigits(`${isNegative ? '-' : ''}${whole}${fraction}${exponent}`),
  );

describe('decimals against fractions of whole numbers', () => {
  const check = (
    operation: (a: JsonNumber, b: JsonNumber) => JsonNumber,
    exact: (a: Rational, b: Rational) => Rational | undefined,
  ): void => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const wanted = exact(rational(a), rational(b));
        if (wanted === undefined) return;
        expect(isEqual(rational(operation(a, b)), wanted)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  };
  const fraction = (over: bigint, under: bigint): Rational =>
    under < 0n ? { over: -over, under: -under } : { over, under };

  it('add and subtract', () => {
    const exact = (a: Rational, b: Rational, sign: bigint): Rational =>
      roundedTo({ over: a.over * b.under + sign * b.over * a.under, under: a.under * b.under }, 34);
    check(
      (a, b) => sum([a, b], '+', budget()),
      (a, b) => exact(a, b, 1n),
    );
    check(
      (a, b) => difference([a, b], budget()),
      (a, b) => exact(a, b, -1n),
    );
  });

  it('multiply', () => {
    check(
      (a, b) => product([a, b], budget()),
      (a, b) => roundedTo({ over: a.over * b.over, under: a.under * b.under }, 34),
    );
  });

  it('divide', () => {
    check(
      (a, b) => (isZero(b) ? 0 : quotient([a, b], budget())),
      (a, b) => (b.over === 0n ? undefined : roundedTo(fraction(a.over * b.under, a.under * b.over), 34)),
    );
  });

  it('take remainders exactly', () => {
    check(
      (a, b) => (isZero(b) ? 0 : remainder([a, b], budget())),
      (a, b) =>
        b.over === 0n ? undefined : { over: (a.over * b.under) % (b.over * a.under), under: a.under * b.under },
    );
  });

  it('compare exactly', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [x, y] = [rational(a), rational(b)];
        const order = x.over * y.under - y.over * x.under;
        expect(Math.sign(compareNumbers(a, b, budget()))).toBe(order < 0n ? -1 : order > 0n ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('round to places exactly', () => {
    fc.assert(
      fc.property(number, fc.integer({ min: -34, max: 34 }), (a, places) => {
        const { over, under } = rational(a);
        const scale = 10n ** BigInt(Math.abs(places));
        const [top, bottom] = places >= 0 ? [over * scale, under] : [over, under * scale];
        const down = top / bottom - (top % bottom < 0n ? 1n : 0n);
        const unit = (n: bigint): Rational =>
          places >= 0 ? { over: n, under: scale } : { over: n * scale, under: 1n };
        expect(isEqual(rational(rounded(a, places, 'floor', 'round', budget())), unit(down))).toBe(true);
        const rest = (top - down * bottom) * 2n;
        const even = rest > bottom || (rest === bottom && down % 2n !== 0n) ? down + 1n : down;
        expect(isEqual(rational(rounded(a, places, 'half_even', 'round', budget())), unit(even))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('write what a double can hold as a double, and all else digit by digit', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const written = numberText(sum([a, b], '+', budget()));
        expect(written).toMatch(/^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?(?:e[-+]\d+)?$/);
        const value = sum([a, b], '+', budget());
        if (typeof value === 'number') expect(JSON.stringify(value satisfies Json)).toBe(written);
      }),
    );
  });

  it('give the same on doubles as on their digits', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        const long = numberOfDigits(`${String(b)}.0`);
        expect(sum([a, b], '+', budget())).toEqual(sum([a, long], '+', budget()));
        expect(difference([a, b], budget())).toEqual(difference([a, long], budget()));
        expect(product([a, b], budget())).toEqual(product([a, long], budget()));
      }),
    );
  });
});
