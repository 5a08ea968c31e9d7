import { expect, it } from 'vitest';
import { fitsGlobs } from './name-globs.ts';

it.each([
  ['ab', 'ab', true],
  ['ab', 'a', false],
  ['a', 'a*a', false],
  ['aa', 'a*a', true],
  ['aba', 'a*ba*a', false],
  ['abaa', 'a*ba*a', true],
  ['abcbd', 'a*b*d', true],
  ['', '*', true],
  ['', '', true],
  ['x', '', false],
  ['a.b', 'a?b', false],
])('%j fits %j: %j', (name, glob, fits) => {
  expect(fitsGlobs(name, [glob])).toBe(fits);
});

it('is quick where a pattern could be tried in many ways', () => {
  expect(fitsGlobs('a'.repeat(10_000), [`${'*a'.repeat(200)}*b`])).toBe(false);
});
