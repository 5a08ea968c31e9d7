import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../core/json.ts';
import { CliProblem } from './terminal.ts';
import { parseDocumentText, readDocumentFile } from './document-file.ts';

const read = (text: string, name = 'a.yaml'): string => stringifyJson(parseDocumentText(text, name));

describe('documents', () => {
  it('keep the digits of numbers, in JSON and in YAML', () => {
    expect(read('{"a": 10.10, "b": 9007199254740993}', 'a.json')).toBe('{"a":10.10,"b":9007199254740993}');
    expect(read('a: 10.10\nb: 9007199254740993\nc: -0.5\nd: 7\ne: 1e3')).toBe(
      '{"a":10.10,"b":9007199254740993,"c":-0.5,"d":7,"e":1e3}',
    );
  });

  it('read what JSON cannot write as the number that it is', () => {
    expect(read('a: 0x10\nb: 007\nc: +5')).toBe('{"a":16,"b":7,"c":5}');
    expect(() => read('a: .inf')).toThrow('a.yaml holds .inf, which is no JSON number.');
  });

  it('keep texts that look like something else to older YAML', () => {
    expect(read('a: yes\nb: 2030-01-01\nc: "1"\nd: null\ne: ~')).toBe(
      '{"a":"yes","b":"2030-01-01","c":"1","d":null,"e":null}',
    );
  });

  it('are told apart by name, else by their first character', () => {
    expect(read('{"a":1}', 'standard input')).toBe('{"a":1}');
    expect(read('a: 1', 'standard input')).toBe('{"a":1}');
    expect(() => read('a: 1', 'a.json')).toThrow(/^a\.json is not JSON: /);
  });

  it('that no program could use say so in a sentence', () => {
    const [one, ...many] = ['a', 'b', 'c', 'd', 'e'].map((key, i, keys) => {
      const of = i === 0 ? '{x: 1}' : `[${Array.from({ length: 9 }, () => `*${keys[i - 1] ?? ''}`).join(', ')}]`;
      return `${key}: &${key} ${of}`;
    });
    for (const text of ['a: &a [*a]', [one, ...many].join('\n'), `a: ${'['.repeat(20_000)}`, 'a: *b']) {
      expect(() => read(text)).toThrow(CliProblem);
      expect(() => read(text)).toThrow(/^a\.yaml (?:cannot be used|is not YAML): /);
    }
  });

  it('that are none say why', () => {
    expect(() => read('a: [')).toThrow(/^a\.yaml is not YAML: .* at line 1/);
    expect(() => read('a: 1\na: 2')).toThrow(/^a\.yaml is not YAML: Map keys must be unique/);
    expect(() => read('{"a": {"b": 1,\n"b": 2}}', 'a.json')).toThrow(
      'a.json: a.b: This key stands twice in its object, the second time at line 2, column 1.',
    );
    expect(() => readDocumentFile('/nowhere/a.yaml')).toThrow('/nowhere/a.yaml cannot be read: ENOENT');
  });
});
