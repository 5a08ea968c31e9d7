import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visibleJson, visibleLine, visibleLines } from './visible-text.ts';

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const moves = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

describe('a line', () => {
  it.each([
    ['\u001b[31mred', '\\u001b[31mred'],
    ['\u009b2J', '\\u009b2J'],
    ['\u007f', '\\u007f'],
    ['a\r\nb\tc\0', 'a\\u000d\\u000ab\\u0009c\\u0000'],
    ['user\u202egnp.exe', 'user\\u202egnp.exe'],
    ['\u2066\u2069\u200f\u061c\u2028', '\\u2066\\u2069\\u200f\\u061c\\u2028'],
    ['größe 東京 👩‍👩‍👧', 'größe 東京 👩‍👩‍👧'],
  ])('of %j is %s', (text, shown) => {
    expect(visibleLine(text)).toBe(shown);
    expect(visibleLine(shown)).toBe(shown);
  });

  it('holds nothing that moves anything, whatever the text is', () => {
    assert(
      property(string({ unit: 'binary' }), (text) => {
        expect(visibleLine(text)).not.toMatch(moves);
        expect(visibleLines(text).replaceAll('\n', '')).not.toMatch(moves);
      }),
    );
  });

  it('takes time by its length', () => {
    const text = '\u001b\u202ea'.repeat(100_000);
    const begun = performance.now();
    visibleLine(text);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

it('a text of several lines keeps its line feeds and nothing else', () => {
  expect(visibleLines('a\nb\r\u001bc')).toBe('a\nb\\u000d\\u001bc');
});

describe('JSON', () => {
  it('means the same', () => {
    assert(
      property(string({ unit: 'binary' }), (text) => {
        const shown = visibleJson(JSON.stringify({ text }));
        expect(shown).not.toMatch(moves);
        expect(JSON.parse(shown)).toEqual({ text });
      }),
    );
  });

  it('gives the escapes to those who parse it, when asked to', () => {
    expect(JSON.parse(visibleJson('"\u009b"', true))).toBe('\\u009b');
  });
});
