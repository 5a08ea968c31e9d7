import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../core/value/json.ts';
import { readJson, readJsonBytes } from './json-body.ts';

describe('readJson', () => {
  it.each(['{"a":10.10,"b":9007199254740993,"c":-0,"d":1e400}', '[]', '"x"', '{"__proto__":{"x":1}}'])(
    'keeps %s',
    (text) => {
      const read = readJson(text);
      expect(read.ok && stringifyJson(read.value)).toBe(text);
    },
  );

  it('pollutes nothing', () => {
    readJson('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('refuses a key that stands twice in its object, by its path', () => {
    const read = readJson('{"payload":{"a":1},"labels":{"x":"1",\n "x":"2"}}');
    const error = 'labels.x: This key stands twice in its object, the second time at line 2, column 2.';
    expect(read).toEqual({ ok: false, code: 'invalid_request', error });
  });

  it('never quotes the body', () => {
    const read = readJson('{"password": hunter2}');
    expect(read).toEqual({ ok: false, code: 'malformed_json', error: 'The body is not valid JSON.' });
  });
});

describe('readJsonBytes', () => {
  it.each(['{"a":"é😀"}', '\ufeff{"a":"é😀"}'])('reads %j', (text) => {
    expect(readJsonBytes(Buffer.from(text), 'application/json')).toEqual({ ok: true, value: { a: 'é😀' } });
  });

  it.each([
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ])('refuses bytes that are no UTF-8 instead of reading something else', (...bytes) => {
    const error = 'The body is not UTF-8, and its Content-Type declares no other charset.';
    expect(readJsonBytes(Buffer.from(bytes), 'application/json')).toEqual({ ok: false, code: 'malformed_json', error });
  });
});
