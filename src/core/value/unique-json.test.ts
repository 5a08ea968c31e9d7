import { assert, json, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, parseJson, stringifyJson } from './json.ts';
import { membersWritten, parseUniqueJson } from './unique-json.ts';

const failureOf = (text: string): string => {
  try {
    parseUniqueJson(text);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return 'none';
};

describe('parseUniqueJson', () => {
  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['[0,{"b":[{},{"x y":1,"z":{},"x y":{"deep":1}}]}]', '[1].b[1]["x y"]'],
    ['{"steps":[{"up":{"url":"a:b","url":"{{c}}"}}]}', 'steps[0].up.url'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"a":{"n":10.10},"b":[1,2,{"k":"\\"}:","k":null}]}', 'b[2].k'],
    ['{"":1,"":2}', '[""]'],
  ])('refuses %s by the path of its key', (text, path) => {
    expect(failureOf(text)).toMatch(`DuplicateKey: ${path}: This key stands twice in its object`);
  });

  it('names the line and column of the second', () => {
    expect(failureOf('{\n  "a": 1,\n  "b": 2,\n  "a": 3\n}')).toContain('the second time at line 4, column 3.');
  });

  it.each([
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '[{"a":1},{"a":2}]',
    '{"a":"b:c","d":":{}"}',
    '{"rawJSON":1,"n":10.10,"m":{"rawJSON":9007199254740993}}',
    '{"__proto__":{"x":1},"constructor":{"x":1},"toString":0}',
    '10.10',
    '":"',
  ])('reads %s', (text) => {
    expect(stringifyJson(parseUniqueJson(text))).toBe(text);
  });

  it('reads what any value is written as, and refuses it once a member of it is repeated', () => {
    assert(
      property(json({ maxDepth: 5 }), string(), (text, key) => {
        const value = parseJson(text);
        expect(canonicalJson(parseUniqueJson(text))).toBe(canonicalJson(value));
        const member = `${JSON.stringify(key)}:${text}`;
        expect(failureOf(`[{"other":0,${member},"more":[],${member}}]`)).toMatch(/^DuplicateKey: /);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves it to the parser to say what is no JSON', () => {
    expect(failureOf('{"a":1,"a"')).toMatch(/^SyntaxError: /);
  });
});

describe('membersWritten', () => {
  it('counts brackets outside of strings for the depth', () => {
    expect(membersWritten('[[[]]]', 3)).toBe(0);
    expect(membersWritten('[[[]]]', 2)).toBe(-1);
    expect(membersWritten('["[[[[",{"a{":"\\"[["}]', 2)).toBe(1);
    expect(membersWritten('["\\\\",[[]]]', 2)).toBe(-1);
    expect(membersWritten('[1],[2],[3]', 1)).toBe(0);
  });

  it('ends on text that is no JSON', () => {
    expect(membersWritten('"never closed [[[', 1)).toBe(0);
    expect(membersWritten(`${']'.repeat(10)}[[`, 1)).toBe(0);
  });
});
