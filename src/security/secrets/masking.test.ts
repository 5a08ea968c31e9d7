import { hash } from 'node:crypto';
import { array, assert, constantFrom, dictionary, oneof, property, string } from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { isRawNumber, parseJson } from '../../core/value/json.ts';
import type { Json } from '../../core/value/json.ts';
import { CallbackTokens } from '../callback-token.ts';
import { Masker } from './masking.ts';

function maskerOf(...values: string[]): Masker {
  return new Masker({ values: () => values });
}

const token = new CallbackTokens([{ kid: 'k', secret: 's' }]).issue({
  executionId: 'e',
  round: 1,
  nodeId: 'n',
  visit: 1,
  operation: 1,
  nonce: 'x',
});

function asXml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}

describe('texts', () => {
  const secret = 'p@ss/wö"rd +\\1<&>\'\n=';
  const json = JSON.stringify(secret).slice(1, -1);
  const xml = asXml(secret);
  it.each([
    ['raw', secret],
    ['in JSON', json],
    [
      'in JSON of an encoder that escapes more',
      json.replace('ö', '\\u00F6').replace('/', '\\/').replace('<', '\\u003c'),
    ],
    ['percent-encoded', encodeURIComponent(secret)],
    ['percent-encoded in lower case', encodeURIComponent(secret).toLowerCase()],
    ['percent-encoded where a URL needs it', encodeURI(secret)],
    ['form-encoded', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in XML', xml],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64url', Buffer.from(secret).toString('base64url')],
    ['in percent-encoded base64', encodeURIComponent(Buffer.from(secret).toString('base64'))],
    ['in JSON within JSON', JSON.stringify(json).slice(1, -1)],
    ['in JSON within JSON within JSON', JSON.stringify(JSON.stringify(json).slice(1, -1)).slice(1, -1)],
    [
      'in JSON within JSON within JSON within JSON within JSON',
      JSON.stringify(JSON.stringify(JSON.stringify(JSON.stringify(json).slice(1, -1)).slice(1, -1)).slice(1, -1)).slice(
        1,
        -1,
      ),
    ],
    ['in JSON of XML', JSON.stringify(JSON.stringify(xml)).slice(3, -3)],
    ['in XML of JSON', asXml(json)],
    ['in XML within XML', asXml(xml)],
    ['in percent-encoded JSON', encodeURIComponent(json)],
    ['in percent-encoded JSON within JSON', encodeURIComponent(JSON.stringify(json).slice(1, -1))],
    ['in base64 of JSON', Buffer.from(json).toString('base64')],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(secret))],
  ])('masks a secret %s', (_how, written) => {
    const masked = maskerOf(secret).text(`before ${written} after`);
    expect(masked).toMatch(/^before \*\*\*(%3D|=)* after$/);
  });

  it.each(['', 'u', 'us', 'user', 'user1', 'user12'])('masks a password in basic auth of %j', (user) => {
    const encoded = Buffer.from(`${user}:Sup3rSecretPassw0rd`).toString('base64');
    const masked = maskerOf('Sup3rSecretPassw0rd').text(`Basic ${encoded}`);
    const left = Buffer.from(masked.slice('Basic '.length).split('***')[0] ?? '', 'base64').toString('latin1');
    expect(masked).toContain('***');
    expect(left).not.toContain('Su');
    expect(masked.split('***')[1]).toBe('');
  });

  it('leaves no secret standing, whatever its characters and wherever it is', () => {
    const unit = oneof(
      string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      constantFrom(...String.raw`\"/&%+ $^.[(|)]?{}-`.split('')),
      constantFrom('\n', '\r', '\t', '\f', '\b'),
    );
    const texts = string({ unit, maxLength: 12 });
    const word = constantFrom('a1', 'Key', 'word', 'Zz09Yy18');
    const long = string({ unit: oneof(unit, unit, word), minLength: 30, maxLength: 150 });
    const secrets = oneof(texts, string({ unit: oneof(unit, word), maxLength: 20 }), long).filter(
      (text) => text.length >= 4 && !text.includes('*'),
    );
    assert(
      property(secrets, secrets, texts, texts, (secret, other, before, after) => {
        const masker = maskerOf(secret, other);
        const wellFormed = secret.toWellFormed();
        const written = [
          secret,
          JSON.stringify(secret).slice(1, -1),
          encodeURIComponent(wellFormed),
          new URLSearchParams({ a: wellFormed }).toString().slice(2),
          Buffer.from(secret).toString('base64'),
          Buffer.from(secret).toString('base64url'),
        ];
        return written.every((form) => !masker.text(`${before} ${form} ${after}`).includes(` ${form} `));
      }),
      { numRuns: 200 },
    );
  });

  it('masks every occurrence, the longest secret first', () => {
    expect(maskerOf('abcd', 'abcdefgh').text('abcdefgh abcd xabcdx')).toBe('*** *** x***x');
  });

  it('leaves secrets below the least length alone', () => {
    expect(maskerOf('abc', '').text('abc')).toBe('abc');
    expect(maskerOf('abcd').text('abcd')).toBe('***');
  });

  it('masks callback tokens, cut ones too', () => {
    const masker = maskerOf();
    expect(masker.text(`x-callback-token: ${token}; ${token.slice(0, 20)}`)).toBe('x-callback-token: ***; ***');
    expect(masker.text(`http://t/workflows/e/node/n/callback/${token}`)).toBe(
      'http://t/workflows/e/node/n/callback/***',
    );
  });

  it.each(['', 'a', 'ab', 'abc'])('masks callback tokens in base64 behind %j', (before) => {
    for (const encoding of ['base64', 'base64url'] as const) {
      const encoded = Buffer.from(`${before}${token}`).toString(encoding);
      const masked = maskerOf().text(`[${encoded}]`);
      expect(masked).toMatch(/^\[.{0,4}\*\*\*\]$/);
      expect(masked).not.toContain(encoded.slice(5, 15));
    }
  });

  it('masks what is a part of a host as it is written there', () => {
    expect(maskerOf('Tenant.7X').text('ENOTFOUND tenant.7x.example')).toBe('ENOTFOUND ***.example');
    expect(maskerOf('Not a Host').text('not a host')).toBe('not a host');
  });

  it('takes no long time over a text that is full of what secrets hold', () => {
    const masker = maskerOf('\\\\\\\\"x', '"\\"\\"\\y', '%%%%z', '\n\n\n\n!');
    const text = ['\\', '"', '%25', '%', '\n', '\\"', '\\n'].map((part) => part.repeat(100_000)).join(' ');
    expect(masker.text(text)).toBe(text);
  });

  it('follows the secrets as they change', () => {
    let values: readonly string[] = ['first'];
    const masker = new Masker({ values: () => values });
    expect(masker.text('first second')).toBe('*** second');
    values = ['second'];
    expect(masker.text('first second')).toBe('first ***');
  });

  it('masks large secrets and many of them', () => {
    const key = Array.from({ length: 60 }, (_, i) => `line ${i} ${'ab+/'.repeat(15)}`).join('\n');
    const many = Array.from({ length: 500 }, (_, i) => `secret-number-${1000 + i}-!?`);
    const masker = maskerOf(key, ...many);
    expect(masker.text(`[${key}]`)).toBe('[***]');
    expect(masker.text(`[${JSON.stringify(key)}]`)).toBe('["***"]');
    expect(masker.text(many.join(','))).toBe(many.map(() => '***').join(','));
  });
});

describe('the work on a text', () => {
  const long = [4, 16].flatMap((thousands) => {
    const length = thousands * 1000;
    return [
      ['one letter and another', `${'a'.repeat(length)}b`],
      ['another letter first', `b${'a'.repeat(length)}`],
      ['a period', `x${'ab/'.repeat(length / 3)}`],
      ['a period and an end', `${'abcdefgh'.repeat(length / 8)}!`],
      ['punctuation', `start${'!'.repeat(length)}x`],
      ['line breaks', `start${'\r\n'.repeat(length / 2)}x`],
    ] as const;
  });

  const random = Array.from({ length: 256 }, (_, i) => hash('sha256', String(i), 'base64')).join('');
  it.each([
    ['letters and digits', random.replace(/[^A-Za-z0-9]/g, '')],
    ['base64 in lines', random.replace(/.{64}/g, '$&\n')],
    ['words and punctuation', random.replace(/[0-9]/g, '!"\\')],
  ])('masks a long secret of %s exactly', (_of, whole) => {
    for (const secret of [whole, whole.slice(0, 300), whole.slice(0, 128), whole.slice(0, 129)]) {
      const masker = maskerOf(secret);
      const json = JSON.stringify(secret).slice(1, -1);
      const encoded = Buffer.from(`user:${secret}`).toString('base64');
      expect(masker.text(`[${secret}] [${json}] [${encodeURIComponent(secret)}]`)).toBe('[***] [***] [***]');
      expect(masker.text(`[${encoded}]`)).toMatch(/^\[.{1,12}\*\*\*\]$/);
      expect(masker.text(secret.slice(1))).toBe(secret.slice(1));
    }
  });

  it.each(long)('leaves no secret standing of %s', (_of, secret) => {
    const masker = maskerOf(secret);
    const json = JSON.stringify(secret).slice(1, -1);
    for (const written of [
      secret,
      json,
      encodeURIComponent(secret),
      Buffer.from(`user:${secret}`).toString('base64'),
    ]) {
      expect(masker.text(`[${written}]`)).toMatch(/^(\[.{0,12})?\*\*\*\]?$/);
    }
  });

  /** Counts the comparisons of a part of a secret with a position in the text. */
  function comparisons(work: () => void): number {
    const spies = [vi.spyOn(RegExp.prototype, 'exec'), vi.spyOn(RegExp.prototype, 'test')];
    work();
    const count = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    vi.restoreAllMocks();
    return count;
  }

  it.each(long)('grows with the text alone where it is full of parts of %s', (_of, secret) => {
    const masker = maskerOf(secret);
    masker.text(secret);
    const part = secret.slice(Math.floor(secret.length / 2), -2);
    for (const length of [10_000, 100_000]) {
      const text = part.repeat(Math.ceil(length / part.length)).slice(0, length);
      // Two comparisons per character use up the allowance per character; the constant is the extra allowance.
      expect(comparisons(() => masker.text(text))).toBeLessThan(3 * length + 1000);
    }
  });

  it.each([10, 100, 1000])('does not grow with the number of secrets: %d', (count) => {
    const values = Array.from(
      { length: count },
      (_, i) => `prefix/${String(i)}x${'secret'.repeat(20)}${String(i)}-end`,
    );
    const masker = maskerOf(...values);
    masker.text(values.join());
    const text = 'A text of what most texts hold, with numbers: 1234567890. '.repeat(1000);
    expect(comparisons(() => masker.text(text))).toBeLessThan(100);
    expect(masker.text(values.join())).toBe(values.map(() => '***').join());
  });

  it('masks a text as a whole that was made of what many secrets have in common', () => {
    const values = Array.from({ length: 128 }, (_, i) => `${'!'.repeat(i)}common${'!'.repeat(128 - i)}`);
    const masker = maskerOf(...values);
    for (const repeated of [1000, 20_000]) {
      const text = 'common'.repeat(repeated);
      // The first pass compiles the expressions for this text.
      masker.text(text);
      expect(comparisons(() => expect(masker.text(text)).toBe('***'))).toBeLessThan(3 * text.length + 1000);
    }
    expect(masker.text('something in common')).toBe('something in common');
  });

  it.each([100, 1000, 10_000])('grows with the keys of an object, were all %d to become alike', (count) => {
    const object: Record<string, number> = {};
    for (let i = 0; i < count; i++) object[`trc1.x${String(i)}`] = i;
    object['***#7'] = -1;
    const spy = vi.spyOn(Map.prototype, 'has');
    const masked = maskerOf().json(object) as Record<string, number>;
    expect(spy.mock.calls.length).toBeLessThan(3 * count + 20);
    spy.mockRestore();
    expect(Object.keys(masked)).toHaveLength(count + 1);
    expect(masked[`***#${String(count)}`]).toBe(count - 1);
  });
});

describe('the work on a document', () => {
  /** Wraps a value and counts the reads of its members. */
  function counting(value: unknown, count: { reads: number }): unknown {
    if (typeof value !== 'object' || value === null) return value;
    return new Proxy(value, {
      get(target, key) {
        count.reads++;
        return counting(Reflect.get(target, key), count);
      },
      ownKeys(target) {
        const keys = Reflect.ownKeys(target);
        count.reads += keys.length;
        return keys;
      },
    });
  }

  /** Counts the values in a value, including lists and objects. */
  function sizeOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return 1;
    return Object.values(value).reduce((sum: number, item) => sum + sizeOf(item), 1);
  }

  it('grows with its size, whatever it is', () => {
    const masker = maskerOf('hunter22', '987654321');
    const key = oneof(
      string({ maxLength: 3 }),
      constantFrom('hunter22', '***', '***#2', 'trc1.a', 'trc1.b', '__proto__'),
    );
    const leaf = constantFrom<Json>(null, true, 7, 987654321, 'hunter22', 'text', 'trc1.x', [
      'trc1.y',
      { hunter22: 1 },
    ]);
    const documents = array(dictionary(key, leaf, { maxKeys: 20 }), { maxLength: 20 });
    assert(
      property(documents, (document) => {
        const count = { reads: 0 };
        const plain = JSON.parse(JSON.stringify(document)) as Json;
        masker.json(counting(plain, count) as Json);
        expect(count.reads).toBeLessThanOrEqual(5 * sizeOf(plain));
      }),
      { numRuns: 50 },
    );
  });
});

describe('headers', () => {
  it('masks credential headers whole and secrets in the others', () => {
    const headers = {
      Authorization: 'Bearer anything',
      cookie: 'a=b',
      'Set-Cookie': 'a=b',
      'Proxy-Authorization': 'x',
      'X-Callback-Token': 'any',
      'x-key': 'key hunter22',
      accept: '*/*',
    };
    expect(maskerOf('hunter22').headers(headers)).toEqual({
      Authorization: '***',
      cookie: '***',
      'Set-Cookie': '***',
      'Proxy-Authorization': '***',
      'X-Callback-Token': '***',
      'x-key': 'key ***',
      accept: '*/*',
    });
    expect(headers.cookie).toBe('a=b');
  });

  it('gives the same object when nothing matches', () => {
    const headers = { accept: '*/*' };
    expect(maskerOf('hunter22').headers(headers)).toBe(headers);
  });
});

describe('JSON', () => {
  const masker = maskerOf('hunter22', '987654321');

  it('masks values, keys and whole numbers, however deep', () => {
    const value = parseJson(
      `{"a":[1,{"hunter22":"x","k":"${token}"}],"n":987654321,"m":9876543210,"same":{"b":[true,null]}}`,
    );
    const masked = masker.json(value) as { same: Json };
    expect(masked).toEqual({
      a: [1, { '***': 'x', k: '***' }],
      n: '***',
      m: 9876543210,
      same: { b: [true, null] },
    });
    expect(masked.same).toBe((value as { same: Json }).same);
  });

  it('loses no value when masked keys become alike', () => {
    expect(masker.json({ hunter22: 1, '***': 2, '987654321': 3 })).toEqual({ '***': 3, '***#2': 1, '***#3': 2 });
  });

  it('keeps digits and a key named __proto__', () => {
    const masked = masker.json(parseJson('{"__proto__":"hunter22","n":10.10}')) as Record<string, Json>;
    expect(Object.keys(masked)).toEqual(['__proto__', 'n']);
    expect(Object.getOwnPropertyDescriptor(masked, '__proto__')?.value).toBe('***');
    expect(isRawNumber(masked['n'])).toBe(true);
  });

  it.each<Json>([null, true, 1, 'text', [], {}, [1, 'x'], { a: { b: ['c'] } }])('gives %j back as it is', (value) => {
    expect(masker.json(value)).toBe(value);
  });
});
