import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, encodeJsonText, encodeText } from './text-column.ts';

/** Any sequence of code units, often those that need care. */
const anyText = fc
  .array(
    fc.oneof(fc.constantFrom('\u0000', '\\', '\ud800', '\udc00', 'u0000', 'u', '0'), fc.string({ unit: 'binary' })),
  )
  .map((parts) => parts.join(''));

describe('text columns', () => {
  it.each([
    ['plain', 'plain'],
    ['😀 é', '😀 é'],
    ['a\u0000b', 'a\\u0000b'],
    ['a\\u0000b', 'a\\\\u0000b'],
    ['\udc00\ud800', '\\udc00\\ud800'],
  ])('keeps %j as %j', (text, stored) => {
    expect(encodeText(text)).toBe(stored);
    expect(decodeText(stored)).toBe(text);
  });

  it('gives back any text, and stores only what Postgres takes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const stored = encodeText(text);
        expect(stored.isWellFormed()).toBe(true);
        expect(stored).not.toContain('\u0000');
        expect(decodeText(stored)).toBe(text);
      }),
    );
  });

  it('keeps the value of any JSON text', () => {
    fc.assert(
      fc.property(fc.array(anyText), (texts) => {
        // As a program writes it that escapes what JSON demands and no more.
        const raw = JSON.stringify(texts).replace(
          /\\u(d[89a-f][0-9a-f]{2})/g,
          (all, hex: string, at: number, whole: string) => {
            const backslashes = /\\*$/.exec(whole.slice(0, at))?.[0].length ?? 0;
            return backslashes % 2 === 1 ? all : String.fromCharCode(Number.parseInt(hex, 16));
          },
        );
        expect(encodeJsonText(raw).isWellFormed()).toBe(true);
        expect(JSON.parse(encodeJsonText(raw))).toEqual(texts);
      }),
    );
  });
});
