import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson, stringifyJson } from '../value/json.ts';
import { compileJsonTemplate, type JsonTemplate, type Problem, renderJson } from './json-template.ts';
import type { TemplateOptions } from './template.ts';

const options: TemplateOptions = { nodeIds: new Set(['pay']), allow: { callback: false, failure: false } };

function contextOf(payload: JsonObject): RenderContext {
  return {
    payload,
    labels: {},
    sagaId: 'e1',
    sagaName: 'order',
    sagaVersion: '3',
    stepName: 'pay',
    phase: 'UP',
    attempt: 1,
    round: 1,
    variable: () => undefined,
    secret: () => 'k',
    node: () => undefined,
    completed: [],
  };
}

function compiled(value: Json): JsonTemplate {
  const result = compileJsonTemplate(value, options);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  return result.template;
}

function problemsOf(value: Json): readonly Problem[] {
  const result = compileJsonTemplate(value, options);
  return 'errors' in result ? result.errors : [];
}

const payload = parseJson(
  '{"n":9007199254740993,"p":10.10,"s":"a\\"b\\n","t":true,"nil":null,"o":{"k":[1.50]},"list":[{"v":1},{"v":2}]}',
) as JsonObject;

function render(value: Json): string {
  const rendered = renderJson(compiled(value), contextOf(payload));
  return rendered.ok ? stringifyJson(rendered.value) : `!${rendered.error}`;
}

describe('JSON templates', () => {
  const table: [value: string, text: string][] = [
    ['"{{payload.n}}"', '9007199254740993'],
    ['"{{{payload.n}}}"', '9007199254740993'],
    ['"{{ payload.p }}"', '10.10'],
    ['"{{&payload.p}}"', '10.10'],
    ['"{{payload.s}}"', '"a\\"b\\n"'],
    ['"{{payload.t}}"', 'true'],
    ['"{{payload.nil}}"', 'null'],
    ['"{{payload.missing.x}}"', 'null'],
    ['"{{payload.o}}"', '{"k":[1.50]}'],
    ['"{{nodes.pay.response.body}}"', 'null'],
    ['"{{secrets.X}}"', '"k"'],
    ['" {{payload.n}}"', '" 9007199254740993"'],
    ['"{{payload.n}}{{payload.p}}"', '"900719925474099310.10"'],
    ['"{{!c}}{{payload.t}}"', '"true"'],
    ['"x{{payload.s}}{{{payload.s}}}\\n\\"{{payload.nil}}"', '"xa\\"b\\na\\"b\\n\\n\\""'],
    ['"v {{payload.o}}"', '"v {\\"k\\":[1.50]}"'],
    ['"{{#payload.list}}{{v}},{{/payload.list}}"', '"1,2,"'],
    [
      '{"a":["{{payload.t}}",1.0,null,{"{{payload.n}}":"plain \\" text"}]}',
      '{"a":[true,1.0,null,{"{{payload.n}}":"plain \\" text"}]}',
    ],
    ['{"__proto__":"{{payload.t}}"}', '{"__proto__":true}'],
    ['{}', '{}'],
    ['[]', '[]'],
    ['9007199254740993', '9007199254740993'],
  ];
  it.each(table)('%s', (value, text) => {
    expect(render(parseJson(value))).toBe(text);
  });

  it('fails on a variable that is not configured', () => {
    expect(render({ a: '{{vars.X}}' })).toBe('!"vars.X" is not configured.');
    expect(render({ a: 'x{{vars.X}}' })).toBe('!"vars.X" is not configured.');
  });

  it('names the place of every error', () => {
    expect(problemsOf({ items: [{ name: '{{nope}}' }, 'x{{#payload.a}}'], ok: '{{payload.x}}' })).toEqual([
      { path: '.items[0].name', message: expect.stringContaining('"nope"') },
      { path: '.items[1]', message: expect.stringContaining('not closed') },
    ]);
  });

  it('refuses what is nested too deep', () => {
    let value: Json = '{{payload.x}}';
    for (let i = 0; i < 300; i++) value = [value];
    expect(problemsOf(value)).toHaveLength(1);
  });

  it('tells whether it is constant, and what it reads', () => {
    expect(compiled({ a: 'x', b: [1] })).toMatchObject({ constant: true, paths: [], source: '{"a":"x","b":[1]}' });
    expect(compiled({ a: '{{attempt}}', b: 'x{{secrets.X}}' })).toMatchObject({
      constant: false,
      volatile: true,
      usesSecrets: true,
      paths: [{ text: 'attempt' }, { text: 'secrets.X' }],
    });
  });

  it('bounds the output while it is written', () => {
    const large = contextOf({ s: 'x'.repeat(1000) });
    const template = compiled(Array.from({ length: 2000 }, () => '{{payload.s}}'));
    expect(template.render(large)).toEqual({ ok: false, error: 'The template renders more than 1048576 bytes.' });
  });

  it('gives any value without tags back, and any value of a path', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map((value) => parseJson(JSON.stringify(value).replaceAll('{{', '{')));
    fc.assert(
      fc.property(json, (value) => {
        expect(render(value)).toBe(stringifyJson(value));
        const rendered = renderJson(compiled({ a: ['{{payload.v}}'] }), contextOf({ v: value }));
        expect(rendered).toEqual({ ok: true, value: { a: [value] } });
      }),
    );
  });
});
