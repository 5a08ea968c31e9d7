/** Bodies whose Content-Type requires a format other than JSON. */
import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson } from '../value/json.ts';
import type { Problem } from '../template/json-template.ts';
import type { TemplateOptions } from '../template/template.ts';
import { type RenderedRequest, renderRequest } from './render.ts';
import { compileRequest } from './request.ts';

const options: TemplateOptions = { nodeIds: new Set(), allow: { callback: false, failure: false } };
const payload = { n: parseJson('10.10'), s: 'a"<&b', o: { k: 1 } };

/** The errors of a POST, or its warnings if there are none. */
function toldOf(call: JsonObject): readonly Problem[] {
  const result = compileRequest({ verb: 'POST', url: 'http://h/', ...call }, options);
  return 'errors' in result ? result.errors : result.warnings;
}

function sent(call: JsonObject): RenderedRequest {
  const result = compileRequest({ verb: 'POST', url: 'http://h/', ...call }, options);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  const rendered = renderRequest(result.request, { payload } as unknown as RenderContext);
  if (rendered.kind === 'unsent') throw new Error(rendered.reason);
  return rendered;
}

describe('a body', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

  it.each<[string, JsonObject, string]>([
    ['texts', { a: 'x & y', b: 'é+{{payload.s}}', 'n m': '' }, 'a=x+%26+y&b=%C3%A9%2Ba%22%3C%26b&n+m='],
    ['numbers, by their digits, and booleans', { a: 5, b: true, c: '{{payload.n}}' }, 'a=5&b=true&c=10.10'],
    ['what is raw', { a: '{{{payload.s}}}' }, 'a=a%22%3C%26b'],
    ['null, which is left out, and what is missing', { a: null, b: '{{payload.nothing}}', c: 1 }, 'b=&c=1'],
    ['a section', { a: '{{#payload.o}}k={{k}}{{/payload.o}}' }, 'a=k%3D1'],
    ['an object from data', { a: '{{payload.o}}' }, 'a=%7B%22k%22%3A1%7D'],
    ['nothing', {}, ''],
    [
      'nested values, as JSON',
      { a: { b: '{{payload.s}}', c: '{{payload.n}}', d: 'x{{payload.s}}' }, l: [1, '{{payload.o}}'] },
      `a=${encodeURIComponent('{"b":"a\\"<&b","c":10.10,"d":"xa\\"<&b"}')}&l=${encodeURIComponent('[1,{"k":1}]')}`,
    ],
  ])('given as JSON is a form where the Content-Type says so: %s', (_name, body, text) => {
    const request = sent({ headers: form, body });
    expect(request.body).toBe(text);
    expect(request.headers).toEqual(form);
  });

  it('of a form is read by servers as it was meant', () => {
    const fields = { "a'(b)~": "x!*'()~ &=+%/?", ü: '😀\r\n', j: { k: ['"', '\\'] } };
    const { body } = sent({ headers: form, body: fields });
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({ ...fields, j: JSON.stringify(fields.j) });
  });

  it('warns of nested values in a form', () => {
    const warnings = toldOf({ headers: form, body: { a: [1], b: 'x', c: { d: 1 } } });
    const message = 'A form has no nested values: this one is sent as JSON text.';
    expect(warnings).toEqual([
      { path: '.body.a', message },
      { path: '.body.c', message },
    ]);
  });

  it.each<[string, Json, string]>([
    [
      'application/x-www-form-urlencoded',
      [1],
      'A form is an object of names and values; write any other body as a string.',
    ],
    [
      'application/x-www-form-urlencoded',
      5,
      'A form is an object of names and values; write any other body as a string.',
    ],
    [
      'application/XML; charset=utf-8',
      { a: 1 },
      'A body given as JSON is sent as JSON, which is not application/xml; write the body as a string.',
    ],
    [
      'application/soap+xml',
      { a: 1 },
      'A body given as JSON is sent as JSON, which is not application/soap+xml; write the body as a string.',
    ],
    ['text/xml', [], 'A body given as JSON is sent as JSON, which is not text/xml; write the body as a string.'],
    [
      'text/html',
      { a: 1 },
      'A body given as JSON is sent as JSON, which is not text/html; write the body as a string.',
    ],
    [
      'multipart/form-data; boundary=x',
      { a: 1 },
      'A body given as JSON is sent as JSON, which is not multipart/form-data; write the body as a string.',
    ],
  ])('given as JSON cannot be %s: %j', (type, body, message) => {
    expect(toldOf({ headers: { 'Content-Type': type }, body })).toEqual([{ path: '.body', message }]);
  });

  it('names the place of an error in a form', () => {
    expect(toldOf({ headers: form, body: { a: '{{nope}}', b: { c: '{{#x}}' } } }).map(({ path }) => path)).toEqual([
      '.body.a',
      '.body.b.c',
    ]);
  });

  it.each([
    ['Content-Type', 'text/plain; charset=ISO-8859-1', 'The body is sent in UTF-8, not in ISO-8859-1.'],
    ['Content-Encoding', 'gzip', 'The body is sent as it is: no content coding is applied.'],
    ['Content-Type', 'text/plain; charset="UTF-8"', undefined],
    ['Content-Encoding', 'identity', undefined],
  ])('warns of what %s: %s says of its bytes', (name, value, message) => {
    const warnings = toldOf({ headers: { [name]: value }, body: 'x' });
    expect(warnings).toEqual(message === undefined ? [] : [{ path: `.headers.${name}`, message }]);
    expect(toldOf({ headers: { [name]: value } })).toEqual([]);
  });
});
