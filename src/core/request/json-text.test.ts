import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import type { Json, JsonObject } from '../value/json.ts';
import { renderRequest } from './render.ts';
import { compileRequest } from './request.ts';

const options = { nodeIds: new Set<string>(), allow: { callback: false, failure: false } };

const contextOf = (payload: JsonObject): RenderContext => ({
  payload,
  labels: {},
  sagaId: 'e',
  sagaName: 'n',
  sagaVersion: '1',
  stepName: 's',
  phase: 'UP',
  attempt: 1,
  round: 1,
  variable: () => undefined,
  secret: (name) => (name === 'KEY' ? 'hunter2' : undefined),
  node: () => undefined,
  completed: [],
});

function send(body: string, payload: JsonObject, headers: JsonObject = {}): unknown {
  const compiled = compileRequest({ url: 'http://h/', verb: 'POST', headers, body }, options);
  if ('errors' in compiled) return compiled.errors;
  const rendered = renderRequest(compiled.request, contextOf(payload));
  return rendered.kind === 'unsent' ? rendered.reason : [rendered.headers['Content-Type'], rendered.body];
}

const json = { 'Content-Type': 'application/json' };
const items: Json = [{ sku: 'a' }, { sku: 'b' }];

describe('a body given as a string that is sent as JSON', () => {
  it.each([
    ['{"items":[{{#payload.items}}"{{sku}}",{{/payload.items}}]}', 'a comma stands before "]"', 19],
    ['{"items":[{{#payload.items}}"{{sku}}"{{/payload.items}}]}', 'a comma is missing between two values', 14],
    ['{"items":[{{#payload.items}},"{{sku}}"{{/payload.items}}]}', 'a comma stands before the first value', 11],
    ['{"a":{{#payload.none}}1{{/payload.none}}}', 'a value is missing behind a colon', 6],
    ['{"a":{{payload.name}}}', 'a text stands there without quotes', 6],
    ['{"a":{{{payload.cut}}}}', 'it ends before the "{" is closed', 13],
    ['[{{payload.name}}, {{secrets.KEY}}]', 'a text stands there without quotes', 2],
  ])('is unsent when it is none: %s', (body, why, column) => {
    const sentence = `The rendered body is not JSON: ${why}`;
    for (const headers of [{}, json, { 'Content-Type': 'application/problem+json; charset=utf-8' }]) {
      const reason = send(body, { items, name: 'Ada', cut: '{"x":1' }, headers);
      expect(reason).toContain(sentence);
      expect(reason).toContain(`(line 1, column ${String(column)}).`);
      expect(reason).not.toContain('hunter2');
    }
  });

  it.each([
    ['{{payload.empty}}', 'The rendered body is not JSON: it is empty (line 1, column 1).'],
    ['{{payload.name}}', 'The rendered body is not JSON: a text stands there without quotes (line 1, column 1).'],
  ])('is unsent when only its Content-Type says that it is JSON: %s', (body, reason) => {
    expect(send(body, { empty: '', name: 'Ada' }, json)).toBe(reason);
  });

  it.each([
    ['{"items":[{{#payload.items}}"{{sku}}",{{/payload.items}}null]}', '{"items":["a","b",null]}'],
    ['{"items":{{payload.items}},"m":{{payload.missing}}}', '{"items":[{"sku":"a"},{"sku":"b"}],"m":null}'],
    ['  [1]', '  [1]'],
  ])('is sent when it is some: %s', (body, sent) => {
    expect(send(body, { items })).toEqual(['application/json', sent]);
    expect(send(body, { items }, json)).toEqual(['application/json', sent]);
  });

  it('is text where only values make it look like JSON, and where nothing does', () => {
    expect(send('{{payload.note}}', { note: '[urgent] call back' })).toEqual(['text/plain', '[urgent] call back']);
    expect(send('{{payload.note}}', { note: '[1]' })).toEqual(['application/json', '[1]']);
    const body = '{{#payload.a}}{"a":1}{{/payload.a}}{{^payload.a}}none{{/payload.a}}';
    expect(send(body, { a: 0 })).toEqual(['text/plain', 'none']);
    expect(send('{{#payload.a}}{"a":1}{{/payload.a}}', { a: 0 })).toEqual(['text/plain', '']);
    expect(send('{{payload.a', {}, { 'Content-Type': 'text/plain' })).toMatchObject([{ path: '.body' }]);
    expect(send('{"a":1,}', {}, { 'Content-Type': 'text/plain' })).toEqual(['text/plain', '{"a":1,}']);
  });

  it('is a validation error without tags, and a warning where a section will leave a comma', () => {
    expect(send('{"a":1,}', {})).toEqual([
      {
        path: '.body',
        message:
          'The body is not JSON: a comma stands before "}", as a section leaves it that ends with one (line 1, column 8).',
      },
    ]);
    const compiled = compileRequest(
      { url: 'http://h/', verb: 'POST', body: '{"a":[{{#payload.a}}[{{#b}}1, {{/b}}],{{/payload.a}}\n]}' },
      options,
    );
    expect('warnings' in compiled && compiled.warnings.map(({ message }) => message.slice(0, 45))).toEqual([
      'The section "b" leaves a comma behind its las',
      'The section "payload.a" leaves a comma behind',
    ]);
  });

  it('costs steps by its length', () => {
    const compiled = compileRequest({ url: 'http://h/', verb: 'POST', body: '{"a":"{{payload.long}}"}' }, options);
    if ('errors' in compiled) throw new Error('invalid');
    const context = contextOf({ long: 'x'.repeat(64_000) });
    const limits = { maxSteps: 500, maxBytes: 1_000_000 };
    expect(renderRequest(compiled.request, context, limits)).toMatchObject({ kind: 'unsent' });
    expect(renderRequest(compiled.request, context)).toMatchObject({ kind: 'request' });
  });
});
