import { describe, expect, it } from 'vitest';
import { CallbackTokens, callbackTokenPattern } from './callback-token.ts';
import type { CallbackClaims } from '../ports/callback-token.ts';

const claims: CallbackClaims = {
  executionId: '0198c3a0-0000-7000-8000-000000000001',
  round: 1,
  nodeId: 'charge',
  visit: 2,
  operation: 1,
  nonce: 'k3J9x0',
};
const tokens = new CallbackTokens([{ kid: 'default', secret: 'a long secret' }]);

describe('issuing', () => {
  it('gives a token that verifies, the same for the same claims', () => {
    const token = tokens.issue(claims);
    expect(tokens.verify(token)).toEqual({ ok: true, claims });
    expect(tokens.issue({ ...claims })).toBe(token);
    expect(token).toMatch(/^trc1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
  });

  it.each(Object.keys(claims) as (keyof CallbackClaims)[])('gives another token when %s differs', (name) => {
    const other = { ...claims, [name]: typeof claims[name] === 'number' ? 99 : 'other' };
    expect(tokens.issue(other)).not.toBe(tokens.issue(claims));
    expect(tokens.verify(tokens.issue(other))).toEqual({ ok: true, claims: other });
  });

  it.each(['a/b', '..', 'ü 漢字 😀', 'a.b.c', '"],"', '\u0000', 'x'.repeat(128), '漢'.repeat(128)])(
    'keeps the node id %j',
    (nodeId) => {
      expect(tokens.verify(tokens.issue({ ...claims, nodeId }))).toEqual({ ok: true, claims: { ...claims, nodeId } });
    },
  );
});

describe('verifying', () => {
  const token = tokens.issue(claims);

  it('refuses a token with any single character changed', () => {
    const changed = Array.from(token, (character, i) => {
      return `${token.slice(0, i)}${character === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
    });
    expect(changed.filter((text) => tokens.verify(text).ok)).toEqual([]);
  });

  it('refuses the other spellings of the last character', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const accepted = Array.from(alphabet).filter((last) => tokens.verify(token.slice(0, -1) + last).ok);
    expect(accepted).toEqual([token.at(-1)]);
  });

  it.each([
    '',
    'trc1.',
    'trc1.a.b.c',
    token.slice(0, -1),
    `${token}x`,
    `${token}.x`,
    ` ${token}`,
    `${token}\n`,
    token.replace('trc1', 'trc2'),
    `trc1.${'a'.repeat(5000)}.${'b'.repeat(43)}`,
  ])('calls %.30j malformed', (text) => {
    expect(tokens.verify(text)).toEqual({ ok: false, problem: 'malformed' });
  });

  it('tells an unknown key from a wrong signature', () => {
    const other = new CallbackTokens([{ kid: 'other', secret: 'a long secret' }]);
    expect(other.verify(token)).toEqual({ ok: false, problem: 'unknown_kid' });
    const impostor = new CallbackTokens([{ kid: 'default', secret: 'another secret' }]);
    expect(impostor.verify(token)).toEqual({ ok: false, problem: 'signature' });
  });

  it('signs with the first key and verifies with all, so keys can rotate', () => {
    const first = { kid: '2025', secret: 'old' };
    const second = { kid: 'ключ 2026', secret: 'new' };
    const before = new CallbackTokens([first]);
    const added = new CallbackTokens([first, second]);
    const moved = new CallbackTokens([second, first]);
    expect(added.issue(claims)).toBe(before.issue(claims));
    expect(moved.issue(claims)).not.toBe(before.issue(claims));
    expect(moved.verify(before.issue(claims)).ok).toBe(true);
    expect(added.verify(moved.issue(claims)).ok).toBe(true);
    expect(before.verify(moved.issue(claims))).toEqual({ ok: false, problem: 'unknown_kid' });
  });
});

describe('keys', () => {
  it.each([
    ['none', []],
    ['an empty secret', [{ kid: 'a', secret: '' }]],
    ['a blank secret', [{ kid: 'a', secret: '  ' }]],
    ['a blank key id', [{ kid: '', secret: 'x' }]],
    [
      'a key id twice',
      [
        { kid: 'a', secret: 'x' },
        { kid: 'a', secret: 'y' },
      ],
    ],
  ])('refuses %s', (_what, keys) => {
    expect(() => new CallbackTokens(keys)).toThrow(TypeError);
  });
});

describe('urls', () => {
  it('names execution and node, and carries the token as last segment', () => {
    const token = tokens.issue(claims);
    expect(tokens.url('https://t.example/base/', 'id', 'a/b ü')).toBe(
      'https://t.example/base/workflows/id/node/a%2Fb%20%C3%BC/callback',
    );
    const signed = tokens.signedUrl('https://t.example', 'id', 'n', token);
    expect(signed).toBe(`https://t.example/workflows/id/node/n/callback/${token}`);
    expect(new URL(signed).href).toBe(signed);
  });

  it('takes a node id that no URL can hold', () => {
    expect(tokens.url('http://t', 'id', '\ud800')).toBe('http://t/workflows/id/node/%EF%BF%BD/callback');
  });
});

it('a token is found in a text by its pattern', () => {
  const token = tokens.issue(claims);
  expect(`see ${token}. And /callback/${token}?x`.replace(callbackTokenPattern, '***')).toBe(
    'see ***. And /callback/***?x',
  );
});
