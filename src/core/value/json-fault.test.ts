import { assert, integer, json, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultOf, isJson, notJson } from './json-fault.ts';

describe('faultOf', () => {
  it.each([
    ['', 1, 'it is empty'],
    ['[1,2,]', 6, 'a comma stands before "]", as a section leaves it that ends with one'],
    ['{"a":1,}', 8, 'a comma stands before "}", as a section leaves it that ends with one'],
    ['[{"a":1,},2]', 9, 'a comma stands before "}", as a section leaves it that ends with one'],
    ['[1 2]', 4, 'a comma is missing between two values'],
    ['[{}{}]', 4, 'a comma is missing between two values'],
    ['{"a":1 "b":2}', 8, 'a comma is missing between two values'],
    ['[1,,2]', 4, 'two commas stand in a row'],
    ['{"a":1,,"b":2}', 8, 'two commas stand in a row'],
    ['[,1]', 2, 'a comma stands before the first value'],
    ['{,"a":1}', 2, 'a comma stands before the first key'],
    ['{"a":}', 6, 'a value is missing behind a colon'],
    ['{"a":,"b":1}', 6, 'a value is missing behind a colon'],
    ['{"a" 1}', 6, 'a colon is missing behind a key'],
    ['{"a":Ada}', 6, 'a text stands there without quotes'],
    ['{"a":007}', 6, 'a text stands there without quotes'],
    ['Ada', 1, 'a text stands there without quotes'],
    ["{'a':1}", 2, 'a text stands there without quotes'],
    ['{a:1}', 2, 'a text stands there without quotes'],
    ['{1:1}', 2, 'a key in quotes should stand there'],
    ['{"a":"x', 6, 'a text is not closed by a quote'],
    ['{"a":"x\ny"}', 6, 'a text holds a line break'],
    ['{"a":1', 7, 'it ends before the "{" is closed'],
    ['{"a":[1', 8, 'it ends before the "[" is closed'],
    ['{"a":1]', 7, '"]" closes a "{"'],
    ['[1}', 3, '"}" closes a "["'],
    ['{"a":1}}', 8, 'something stands behind the end'],
    ['1 2', 3, 'something stands behind the end'],
    ['{"a":1:2}', 7, 'a colon stands behind a value'],
    ['[:1]', 2, 'a colon stands where a value should be'],
    [']', 1, '"]" closes nothing'],
  ])('%j: column %i, %s', (source, column, why) => {
    expect(isJson(source)).toBe(false);
    const fault = faultOf(source);
    expect(fault.why).toContain(why);
    expect([fault.line, fault.column]).toEqual([1, column]);
  });

  it('counts lines', () => {
    expect(notJson('The body', '{\n  "list": [\n    1,\n  ]\n}')).toBe(
      'The body is not JSON: a comma stands before "]", as a section leaves it that ends with one (line 4, column 3).',
    );
  });

  it('finds something in whatever the parser refuses', () => {
    const refused = (source: string): void => {
      if (!isJson(source)) expect(faultOf(source).why).not.toBe('it is no JSON');
    };
    assert(
      property(json(), integer({ min: 0, max: 200 }), string({ maxLength: 3 }), (source, at, change) => {
        refused(source.slice(0, at) + change + source.slice(at));
        refused(source.slice(0, at) + source.slice(at + change.length));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a time in proportion to the text', () => {
    const long = `[${'{"a":[1,2,"x"]},\n'.repeat(60_000)}]`;
    expect(faultOf(long)).toMatchObject({ line: 60_001, column: 1 });
  });
});
