import { assert, constantFrom, oneof, option, property, record, stringMatching } from 'fast-check';
import { expect, it, vi } from 'vitest';
import { parseJson, stringifyJson } from './json.ts';

const digits = stringMatching(/^[0-9]{1,24}$/);
const number = record({
  sign: constantFrom('', '-'),
  whole: stringMatching(/^(?:0|[1-9][0-9]{0,24})$/),
  fraction: option(oneof(digits, stringMatching(/^0{0,9}[0-9]$/)), { nil: undefined }),
  exponent: option(stringMatching(/^[eE][+-]?[0-9]{1,3}$/), { nil: '' }),
}).map(
  ({ sign, whole, fraction, exponent }) => `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent}`,
);

it('keeps the digits of every number, wherever it stands', () => {
  const places = constantFrom(
    (text: string) => text,
    (text: string) => `[${text}]`,
    (text: string) => `[1,${text},"a"]`,
    (text: string) => `{"a":${text}}`,
    (text: string) => `{"a":{"b":[ ${text}\n]},"c":${text}}`,
    (text: string) => `{"a" :\t${text}\r}`,
  );
  assert(
    property(number, places, (text, place) => {
      const written = place(text);
      expect(stringifyJson(parseJson(written))).toBe(written.replaceAll(/\s/g, ''));
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  '2026-01-05',
  '2026-01-05T10:00:00.000Z',
  '2026-01-05T10:00:00.120+02:00',
  '0190a5a0-7e11-7000-8000-0e5000000000',
  '4111111111111111',
  'version 1.10',
])('parses a text with the string %s as fast as any', (value) => {
  const parse = vi.spyOn(JSON, 'parse');
  const text = JSON.stringify({ at: value, list: [value], amount: 12.5 });
  expect(parseJson(text)).toEqual({ at: value, list: [value], amount: 12.5 });
  expect(parse.mock.calls).toEqual([[text]]);
});
