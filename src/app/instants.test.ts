import { assert, integer, property } from 'fast-check';
import { expect, it } from 'vitest';
import { instant } from './instants.ts';

const limit = 8_640_000_000_000_000;

it('formats an instant as Date does', () => {
  const same = (millis: number): void => {
    expect(instant(millis)).toBe(new Date(millis).toISOString());
  };
  for (const millis of [0, -1, 1, 999, 86_399_999, 86_400_000, -86_400_001, 1.75, -1.75, limit, -limit]) same(millis);
  assert(property(integer({ min: -1e11, max: 4e12 }), same));
  assert(property(integer({ min: -limit, max: limit }), same));
});

it('throws where Date does', () => {
  for (const millis of [NaN, Infinity, limit + 86_400_000]) expect(() => instant(millis)).toThrow(RangeError);
});
