import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ApiKeys, createApiKey, digestOf } from './api-keys.ts';
import { Authenticator } from './authenticator.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

describe('an API key', () => {
  const [first, second] = [createApiKey(), createApiKey()];
  const keys = new ApiKeys([
    { id: 'first', sha256: sha256(first), roles: ['viewer'] },
    { id: 'second', sha256: sha256(second), roles: ['admin'], definitions: ['a*'], expiresAt: 1000 },
  ]);

  it('is random, and too long to guess', () => {
    expect(first).toMatch(/^trama_[\w-]{43}$/);
    expect(second).not.toBe(first);
  });

  it('is found by its digest', () => {
    expect(keys.find(digestOf(first), 0)).toEqual({ id: 'key:first', roles: ['viewer'] });
    expect(keys.find(digestOf(second), 999)).toEqual({
      id: 'key:second',
      roles: ['admin'],
      definitions: ['a*'],
      expiresAt: 1000,
    });
    expect(keys.find(digestOf(`${first}x`), 0)).toBeUndefined();
    expect(keys.find(digestOf(sha256(first)), 0)).toBeUndefined();
  });

  it('ends at the instant at which it expires', () => {
    expect(keys.find(digestOf(second), 1000)).toBeUndefined();
  });
});

describe('an authenticator', () => {
  const key = 'trama_good';
  let clock: { wall: number; mono: number };
  let authenticator: Authenticator;
  beforeEach(() => {
    clock = { wall: 0, mono: 0 };
    authenticator = new Authenticator({
      keys: new ApiKeys([
        { id: 'ops', sha256: sha256(key), roles: ['operator'] },
        { id: 'other', sha256: sha256('trama_other'), roles: ['viewer'] },
      ]),
      clock: { now: () => clock.wall, monotonic: () => clock.mono },
      failuresPerMinute: 3,
    });
  });
  const kindOf = async (headers: Record<string, string>, address = '10.0.0.1'): Promise<string> =>
    (await authenticator.authenticate(headers, address)).kind;

  it.each([
    ['a bearer token', { authorization: `Bearer ${key}` }, 'known'],
    ['a scheme in other letters', { authorization: `bEARER  ${key} ` }, 'known'],
    ['X-Api-Key', { 'x-api-key': key }, 'known'],
    ['X-Api-Key beside the scheme of a proxy', { authorization: 'Basic eDp5', 'x-api-key': key }, 'known'],
    ['nothing', {}, 'missing'],
    ['another scheme', { authorization: `Basic ${key}` }, 'missing'],
    ['an empty key', { 'x-api-key': ' ' }, 'missing'],
    ['a wrong bearer token beside a good key', { authorization: 'Bearer no', 'x-api-key': key }, 'invalid'],
    ['a key with something behind it', { 'x-api-key': `${key} x` }, 'invalid'],
    ['a token of no known issuer', { authorization: 'Bearer eyJh.eyJi.c2ln' }, 'invalid'],
  ])('judges %s', async (_what, headers, kind) => {
    expect(await kindOf(headers as Record<string, string>)).toBe(kind);
  });

  it('stops looking at what an address sends after too many failures, for a while', async () => {
    for (let n = 0; n < 3; n++) expect(await kindOf({ 'x-api-key': `guess ${String(n)}` })).toBe('invalid');
    expect(await authenticator.authenticate({ 'x-api-key': 'guess' }, '10.0.0.1')).toEqual({
      kind: 'limited',
      retryAfterMillis: 20_000,
    });
    expect(await kindOf({ 'x-api-key': 'guess' }, '10.0.0.2')).toBe('invalid');
    clock.mono = 20_000;
    expect(await kindOf({ 'x-api-key': 'guess' })).toBe('invalid');
    expect(await kindOf({ 'x-api-key': 'guess' })).toBe('limited');
  });

  it('lets every right API key in, however many wrong credentials came from its address', async () => {
    for (let n = 0; n < 1000; n++) await kindOf({ 'x-api-key': `guess ${String(n)}` });
    expect(await kindOf({ 'x-api-key': key })).toBe('known');
    expect(await kindOf({ authorization: 'Bearer trama_other' })).toBe('known');
    expect(await kindOf({ 'x-api-key': 'guess' })).toBe('limited');
  });

  it('verifies no further token past the limit, but those that were good before', async () => {
    const verified: string[] = [];
    const tokens = new Authenticator({
      keys: new ApiKeys([]),
      jwt: {
        verify: (token) => {
          verified.push(token);
          return Promise.resolve(token.startsWith('good') ? { id: `jwt:${token}`, roles: ['viewer'] } : undefined);
        },
      },
      clock: { now: () => clock.wall, monotonic: () => clock.mono },
      failuresPerMinute: 3,
    });
    const ask = async (token: string): Promise<string> =>
      (await tokens.authenticate({ authorization: `Bearer ${token}` }, '10.0.0.1')).kind;
    expect(await ask('good.one.x')).toBe('known');
    for (let n = 0; n < 3; n++) expect(await ask(`bad.${String(n)}.x`)).toBe('invalid');
    expect(await ask('bad.3.x')).toBe('limited');
    expect(await ask('good.two.x')).toBe('limited');
    expect(await ask('good.one.x')).toBe('known');
    expect(verified).toEqual(['good.one.x', 'bad.0.x', 'bad.1.x', 'bad.2.x', 'good.one.x']);
    // Ten minutes later, the limit allows verifying the token again.
    clock.mono = 10 * 60_000;
    expect(await ask('good.two.x')).toBe('known');
  });

  it('counts neither good credentials nor missing ones', async () => {
    for (let n = 0; n < 9; n++) expect(await kindOf({})).toBe('missing');
    for (let n = 0; n < 9; n++) expect(await kindOf({ 'x-api-key': key })).toBe('known');
    expect(await kindOf({ 'x-api-key': 'guess' })).toBe('invalid');
  });
});
