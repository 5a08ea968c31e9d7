import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../core/value/json.ts';
import { valueOfBody, valueOfJson } from './shown-json.ts';

describe('bodies of the history', () => {
  it.each([
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/problem+json',
    'application/vnd.a.b+json;v=1',
  ])('are values under %s', (type) => {
    expect(valueOfBody('{"a":[1]}', { 'Content-Type': type })).toEqual({ a: [1] });
  });

  it.each([
    ['another type', '{"a":1}', { 'content-type': 'text/plain' }],
    ['a type that only mentions JSON', '{"a":1}', { 'content-type': 'text/x; a=application/json' }],
    ['no type', '{"a":1}', {}],
    ['no headers', '{"a":1}', undefined],
    ['text that is no JSON', '{"a":', { 'content-type': 'application/json' }],
    ['nothing', '', { 'content-type': 'application/json' }],
  ])('are text under %s', (_what, text, headers) => {
    expect(valueOfBody(text, headers)).toBe(text);
  });

  it('keep the digits of numbers', () => {
    const text = '{"id":9007199254740993,"price":10.10,"small":1e-7,"zero":-0}';
    expect(stringifyJson(valueOfJson(text))).toBe(text);
  });

  it('are any JSON value', () => {
    expect(['null', '"a"', '7', 'false', '[]'].map(valueOfJson)).toEqual([null, 'a', 7, false, []]);
  });

  it('are values though numbers in them are masked', () => {
    expect(valueOfJson('{"pin":***,"in":[1,-***.5,***7],"a***":"x *** y","q":"\\"***"}')).toEqual({
      pin: '***',
      in: [1, '***', '***'],
      'a***': 'x *** y',
      q: '"***',
    });
    expect(valueOfJson('{"pin":***')).toBe('{"pin":***');
  });

  it.each([
    ['a run without an end', (n: number) => `***,${'a1'.repeat(n)}`],
    ['stars without an end', (n: number) => `[${'***x'.repeat(n)}`],
    ['quotes that are escaped', (n: number) => `***"${'\\"'.repeat(n)}`],
  ])('take no longer than their length: %s', (_what, textOf) => {
    // Quadratic work would take minutes here.
    const text = textOf(500_000);
    expect(valueOfJson(text)).toBe(text);
  });

  it('are text where they are nested deeper than answers may be', () => {
    const nested = (levels: number): string => `${'['.repeat(levels)}"${'['.repeat(99)}"${']'.repeat(levels)}`;
    expect(valueOfJson(nested(64))).toBeInstanceOf(Array);
    expect(valueOfJson(nested(65))).toBe(nested(65));
    const deep = `${'{"a":'.repeat(12_000)}1${'}'.repeat(12_000)}`;
    expect(valueOfJson(deep)).toBe(deep);
  });
});
