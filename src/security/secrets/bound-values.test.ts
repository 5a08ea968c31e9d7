import { describe, expect, it } from 'vitest';
import { BoundValues } from './bound-values.ts';
import { SecretHosts } from './secret-hosts.ts';

const value = 'sk-live/4711+ä"quoted"';
const hosts = new SecretHosts({ BANK: ['bank.example', '*.bank.example'], MAIL: ['mail.example'], NOWHERE: [] });
const bound = new BoundValues(
  hosts,
  new Map([
    ['BANK', [value, 'the-earlier-one']],
    ['MAIL', ['mail-secret']],
    ['NOWHERE', ['kept-at-home']],
  ]),
);

const json = JSON.stringify;
const percent = encodeURIComponent;

describe('a value in a request to another host', () => {
  it.each<[string, string]>([
    ['as it is', value],
    ['an earlier one', 'the-earlier-one'],
    ['within JSON', json({ a: [value] })],
    ['within JSON within JSON', json({ a: json({ b: value }) })],
    ['percent-encoded', percent(value)],
    ['percent-encoded twice', percent(percent(value))],
    ['in a form', new URLSearchParams({ a: value }).toString()],
    ['in XML', value.replaceAll('"', '&quot;')],
    ['with characters as numbers', value.replaceAll('"', '&#x22;').replaceAll('ä', '\\u00e4')],
    ['in base64', Buffer.from(value).toString('base64')],
    ['in base64 for URLs', Buffer.from(value).toString('base64url')],
    ['in base64 of a longer text', Buffer.from(`user:${value}`).toString('base64')],
    ['in base64 of JSON', Buffer.from(json({ aa: value })).toString('base64')],
  ])('is found %s, wherever it stands', (_how, written) => {
    const plain = { url: 'https://evil.example/a', headers: { 'X-A': 'plain' }, body: 'plain' };
    expect(bound.misplaced(plain)).toBeUndefined();
    for (const request of [
      { ...plain, body: `before ${written} after` },
      { ...plain, headers: { ...plain.headers, 'X-B': written } },
      { ...plain, url: `https://evil.example/a?q=${written}` },
    ]) {
      expect(bound.misplaced(request)).toBe('BANK');
      expect(bound.misplaced({ ...request, url: request.url.replace('evil', 'mail') })).toBe('BANK');
      expect(bound.misplaced({ ...request, url: request.url.replace('evil', 'bank') })).toBeUndefined();
      expect(bound.misplaced({ ...request, url: request.url.replace('evil', 'a.bank') })).toBeUndefined();
    }
  });

  it('is found beside one that may go there', () => {
    const body = `${value} and mail-secret`;
    expect(bound.misplaced({ url: 'https://bank.example/', headers: {}, body })).toBe('MAIL');
    expect(bound.misplaced({ url: 'https://mail.example/', headers: {}, body })).toBe('BANK');
    expect(bound.misplaced({ url: 'https://mail.example/kept-at-home', headers: {} })).toBe('NOWHERE');
  });
});

it.each(['https://the-earlier-one.bank.example/', 'https://THE-earlier-one.bank.example:1/x'])(
  'a value in the authority is misplaced, though the secret may go there: %s',
  (url) => {
    expect(bound.misplaced({ url: url.toLowerCase(), headers: {} })).toBe('BANK');
  },
);

it('does not look for what would be found everywhere', () => {
  const short = new BoundValues(new SecretHosts({ PIN: [] }), new Map([['PIN', ['123']]]));
  expect(short.misplaced({ url: 'https://evil.example/123', headers: {}, body: '1234' })).toBeUndefined();
});

it('takes time by the length of the request, whatever it holds', () => {
  const values = Array.from({ length: 50 }, (_, i) => `sk-live-"a/b\\${String(i)}%5c${'x-'.repeat(20)}`);
  const many = new BoundValues(new SecretHosts({ KEY: [] }), new Map([['KEY', values]]));
  const parts = ['s', 'sk-live-', '\\', '%5c', '%25', '&amp;', 'x-', '\\\\u002d', 'sk-live-"a/b\\1', 'c2st'];
  for (const part of parts) {
    const millis = (length: number): number => {
      const body = part.repeat(length / part.length);
      const times = [1, 2, 3].map(() => {
        const begun = performance.now();
        many.misplaced({ url: 'https://evil.example/', headers: {}, body });
        return performance.now() - begun;
      });
      return Math.min(...times);
    };
    // A quadratic search would take 64 times as long for eight times the length; the machine may be busy.
    const short = Math.max(5, millis(25_000));
    expect(millis(200_000) / short).toBeLessThan(25);
  }
});
