import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../core/value/json.ts';
import { CliProblem } from '../terminal.ts';
import { parseDefinitionText, parseDocumentText, readDocumentFile } from './document-file.ts';

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

  it.each([
    ['url: {{vars.BASE}}/x', 1],
    ['a: 1\nbody: {{payload.a}}', 2],
    ['- {{a}}', 1],
    ['headers: { X: {{c}} }', 1],
    ['headers:\n  X: {{a}} b\n  c: 1', 2],
    ['a: {{{x}}}', 1],
    ['a: {{#x}}b{{/x}}', 1],
    ['a: {{x}}: b', 1],
    ['a: [{{x}}, {{y}}]', 1],
    ['a:\n  {{x}}\nb: 1', 2],
  ])('with a template without quotes say what to do: %j', (text, line) => {
    expect(() => read(text)).toThrow(
      `Line ${String(line)} has a template without quotes, which YAML takes for a map: write it in quotes, as in url: "{{vars.BASE}}/orders".`,
    );
  });

  it.each([
    'url: http://a/{{x}}',
    'url: "{{x}}"',
    "url: '{{x}}/{{y}}'",
    'a: >\n  {{x}}\n',
    'a: {b: {c: 1}}',
    'a: [{b: {}}]',
  ])('with a template that needs no quotes are read: %j', (text) => {
    expect(() => read(text)).not.toThrow();
  });

  it('with tags or keys that JSON does not have are refused', () => {
    expect(() => read('a: !secret b')).toThrow(/^a\.yaml is not YAML: Unresolved tag: !secret/);
    expect(() => read('[1, 2]: b')).toThrow('a.yaml has a key at line 1 that is no text.');
    expect(() => read('a: 1\n---\na: 2')).toThrow(/^a\.yaml is not YAML: Source contains multiple documents/);
  });

  it.each(['1', '1.10', '0x10', '9007199254740993'])('of definitions have a version that is text: %s', (version) => {
    const text = `name: n\nversion: ${version}\nn: ${version === '0x10' ? '1' : version}`;
    const { definition, warnings } = parseDefinitionText(text, 'a.yaml');
    expect(stringifyJson(definition)).toContain(`"version":"${version}"`);
    expect(warnings).toEqual([
      `version: ${version} is a number in YAML, and taken as the text "${version}"; write it in quotes.`,
    ]);
    expect(read(text)).not.toContain(`"version":"`);
    expect(parseDefinitionText(text.replace(version, `'${version}'`), 'a.yaml').warnings).toEqual([]);
    expect(parseDefinitionText('{"version":1}', 'a.json')).toEqual({ definition: { version: 1 }, warnings: [] });
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
