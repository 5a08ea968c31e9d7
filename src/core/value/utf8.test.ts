import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { utf8Length } from './utf8.ts';

it.each([
  '',
  'a',
  'é',
  '€',
  '😀',
  'a😀b',
  '\ud83d',
  '\ude00',
  '\ude00\ud83d',
  '\ud83d\ud83d\ude00',
  '\ud83d\ude00\ude00',
])('counts %j as it is sent', (text) => {
  expect(utf8Length(text)).toBe(Buffer.byteLength(text));
});

it('counts any text as it is sent', () => {
  const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7fe, max: 0xe001 }));
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 8 }), (units) => {
      const text = String.fromCharCode(...units);
      return utf8Length(text) === Buffer.byteLength(text);
    }),
  );
});
