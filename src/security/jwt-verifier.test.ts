import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { looksLikeJwt } from './jwt-form.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import { KeysUnavailable } from './keys-unavailable.ts';
import type { Principal } from './principal.ts';
import { RemoteKeySet } from './remote-key-set.ts';

interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

async function signer(kid: string, alg: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const now = Date.UTC(2030, 0, 1);
const seconds = now / 1000;

function sign(by: Signer, claims: object = {}, header: object = {}): Promise<string> {
  return new SignJWT({
    iss: 'https://id.example',
    aud: 'trama',
    sub: 'alice',
    exp: seconds + 60,
    roles: ['viewer'],
    ...claims,
  })
    .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
    .sign(by.privateKey);
}

let rsa: Signer;
let ec: Signer;
let stranger: Signer;
beforeAll(async () => {
  [rsa, ec, stranger] = await Promise.all([signer('one', 'RS256'), signer('two', 'ES256'), signer('one', 'RS256')]);
});

let published: JWK[];
let monotonic: number;
let fetches: number;
let isAway: boolean;
let failures: string[];
let keySet: RemoteKeySet;
let broken: string[];
beforeEach(() => {
  published = [rsa.jwk, ec.jwk];
  monotonic = 0;
  fetches = 0;
  isAway = false;
  failures = [];
  broken = [];
  keySet = new RemoteKeySet({
    url: 'https://id.example/keys',
    now: () => monotonic,
    onFailure: ({ message }) => void failures.push(message),
    fetch: () => {
      fetches++;
      return isAway ? Promise.reject(new Error('ECONNREFUSED')) : Promise.resolve(Response.json({ keys: published }));
    },
  });
});

function verifierWith(settings: { definitionsClaim?: string; rolesClaim?: string } = {}) {
  const verifier = new JwtVerifier(
    { issuer: 'https://id.example', audience: 'trama', rolesClaim: 'roles', ...settings },
    keySet,
    () => now,
    (kid) => void broken.push(kid),
  );
  return (tokenText: string) => verifier.verify(tokenText);
}

function verify(token: string, settings: { definitionsClaim?: string; rolesClaim?: string } = {}) {
  return verifierWith(settings)(token);
}

describe('a token', () => {
  it('is good with either algorithm', async () => {
    const alice = { id: 'jwt:alice', roles: ['viewer'], expiresAt: now + 90_000 };
    expect(await verify(await sign(rsa))).toEqual(alice);
    expect(await verify(await sign(ec))).toEqual(alice);
  });

  it.each<[string, () => Promise<string> | string]>([
    ['of another issuer', () => sign(rsa, { iss: 'https://id.example.evil' })],
    ['for another audience', () => sign(rsa, { aud: ['other'] })],
    ['without an audience', () => sign(rsa, { aud: undefined })],
    ['that has expired', () => sign(rsa, { exp: seconds - 31 })],
    ['that never expires', () => sign(rsa, { exp: undefined })],
    ['that is not good yet', () => sign(rsa, { nbf: seconds + 31 })],
    ['without a subject', () => sign(rsa, { sub: undefined })],
    ['with an empty subject', () => sign(rsa, { sub: '' })],
    ['with a long subject', () => sign(rsa, { sub: 'x'.repeat(256) })],
    ['signed by another party under the same kid', () => sign(stranger)],
    [
      'signed with another algorithm than the key is for',
      () => sign({ ...rsa, alg: 'ES256', privateKey: ec.privateKey }),
    ],
    ['without a kid, where there are several keys', () => sign({ ...rsa, alg: 'RS256' }, {}, { kid: 'nobody' })],
    ['that is no token', () => 'a.b.c'],
    ['that is changed', async () => (await sign(rsa)).replace(/\.[\w-]{4}/, '.eyJh')],
    [
      'that is not signed',
      () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(
          JSON.stringify({ iss: 'https://id.example', aud: 'trama', sub: 'a', exp: seconds + 60 }),
        ).toString('base64url')}.`,
    ],
    [
      'signed with the public key as a shared secret',
      async () => {
        const [, payload = ''] = (await sign(rsa)).split('.');
        const header = Buffer.from('{"alg":"HS256","kid":"one"}').toString('base64url');
        const mac = createHmac('sha256', await exportSPKI(rsa.publicKey));
        return `${header}.${payload}.${mac.update(`${header}.${payload}`).digest('base64url')}`;
      },
    ],
    [
      'that brings the key along that signed it',
      () => sign(stranger, {}, { jwk: stranger.jwk, jku: 'https://evil.example/keys', x5u: 'https://evil.example/x' }),
    ],
    ['with an unknown extension', () => sign(rsa, {}, { crit: ['exp'], exp: 1 }).catch(() => 'a.b.c')],
    ['whose audience only begins like ours', () => sign(rsa, { aud: 'trama-test' })],
    ['whose audience lists ours as one text', () => sign(rsa, { aud: 'other trama' })],
    ['whose issuer is ours with a slash', () => sign(rsa, { iss: 'https://id.example/' })],
    ['with a time that is a text', () => sign(rsa, { exp: String(seconds + 60) })],
    ['with a name that is a list', () => sign(rsa, { sub: ['alice'] })],
    ['with a name that is a number', () => sign(rsa, { sub: 7 })],
    ['with a name that is an object', () => sign(rsa, { sub: { id: 'alice' } })],
    ['under a kid that is a path', () => sign(stranger, {}, { kid: '../../../../proc/self/environ' })],
    ['under a kid that is a name of all objects', () => sign(stranger, {}, { kid: '__proto__' })],
  ])('%s is not', async (_what, make) => {
    expect(await verify(await make())).toBeUndefined();
  });

  it('may be half a minute off', async () => {
    expect(await verify(await sign(rsa, { exp: seconds - 29 }))).toBeDefined();
    expect(await verify(await sign(rsa, { nbf: seconds + 29 }))).toBeDefined();
  });

  it.each<[string, object, string, Principal['roles']]>([
    ['a list', { roles: ['admin', 'cook', 7] }, 'roles', ['admin']],
    ['one text', { scope: 'openid runner operator' }, 'scope', ['runner', 'operator']],
    ['nested', { realm_access: { roles: ['author'] } }, 'realm_access.roles', ['author']],
    ['a name with dots', { 'https://x.example/roles': ['author'] }, 'https://x.example/roles', ['author']],
    ['absent', { roles: ['admin'] }, 'groups', []],
    ['inherited', { roles: ['admin'] }, 'constructor.name', []],
  ])('has roles: %s', async (_what, claims, rolesClaim, expected) => {
    expect((await verify(await sign(rsa, claims), { rolesClaim }))?.roles).toEqual(expected);
  });

  it('may be limited to definitions, and sees none when it does not say which', async () => {
    const settings = { definitionsClaim: 'trama.definitions' };
    const limited = await sign(rsa, { trama: { definitions: ['order-*'] } });
    expect((await verify(limited, settings))?.definitions).toEqual(['order-*']);
    expect((await verify(await sign(rsa), settings))?.definitions).toEqual([]);
    expect(await verify(limited)).not.toHaveProperty('definitions');
  });

  it('is told by its form', () => {
    expect(['a.b.c', 'trama_x', 'a.b', 'a.b.c.d', `a.b.${'c'.repeat(9000)}`].map(looksLikeJwt)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('a published key that cannot be used', () => {
  /** An RSA key that is too short for the library, which throws an error of an unusual type for it. */
  function shortKey(kid: string): { readonly jwk: JWK; readonly sign: (claims: object) => string } {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    return {
      jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg: 'RS256' },
      sign: (claims) => {
        const signed = `${part({ alg: 'RS256', kid })}.${part(claims)}`;
        return `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`;
      },
    };
  }
  const claims = { iss: 'https://id.example', aud: 'trama', sub: 'alice', exp: seconds + 60, roles: ['admin'] };

  it.each<[string, (good: JWK) => JWK]>([
    ['whose point is on no curve', (good) => ({ ...good, x: good.y!, y: good.x! })],
    ['without its numbers', ({ kty, crv, kid }) => ({ kty, crv, kid }) as JWK],
    ['whose numbers are no text', (good) => ({ ...good, x: 7 }) as unknown as JWK],
    ['with its private part', (good) => ({ ...good, d: 'AAAA' })],
  ])('%s makes its tokens no good, and is said once', async (_what, spoil) => {
    published = [rsa.jwk, spoil(ec.jwk)];
    const ask = verifierWith();
    for (let n = 0; n < 5; n++) expect(await ask(await sign(ec, { jti: String(n) }))).toBeUndefined();
    expect(broken).toEqual(['two']);
    expect(await ask(await sign(rsa))).toBeDefined();
  });

  it('because it is too short is said once, and other short keys are, too', async () => {
    const [first, second] = [shortKey('short'), shortKey('shorter')];
    published = [first.jwk, second.jwk, ec.jwk];
    const ask = verifierWith();
    for (const key of [first, first, second, first]) expect(await ask(key.sign(claims))).toBeUndefined();
    expect(broken).toEqual(['short', 'shorter']);
    expect(await ask(await sign(ec))).toBeDefined();
  });

  it('because it is none does not make the others unusable', async () => {
    published = [null, 7, 'key', [], rsa.jwk] as JWK[];
    expect(await verify(await sign(rsa))).toBeDefined();
    expect(await verify(await sign(ec))).toBeUndefined();
    expect(failures).toEqual([]);
  });
});

it('a token that breaks the library is no good, and said once without a name that it makes up', async () => {
  const verifier = new JwtVerifier(
    { issuer: 'https://id.example', audience: 'trama', rolesClaim: 'roles' },
    { keyOf: () => Promise.reject(new TypeError('a bug of the library')) },
    () => now,
    (kid, { message }) => void broken.push(`${kid}: ${message}`),
  );
  for (const kid of ['one', 'two', 'three']) {
    expect(await verifier.verify(await sign(rsa, {}, { kid }))).toBeUndefined();
  }
  expect(broken).toEqual([': a bug of the library']);
});

describe('the keys of the issuer', () => {
  it('verify no shared secret, even if one is published', async () => {
    const secret = Buffer.alloc(32, 1);
    published = [rsa.jwk, { kty: 'oct', kid: 'shared', alg: 'HS256', k: secret.toString('base64url') }];
    const claims = { iss: 'https://id.example', aud: 'trama', sub: 'alice', exp: seconds + 60, roles: ['admin'] };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const kid of ['shared', 'one']) {
      const signed = `${part({ alg: 'HS256', kid })}.${part(claims)}`;
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      expect(await verify(`${signed}.${mac}`)).toBeUndefined();
    }
    expect(await verify(await sign(rsa))).toBeDefined();
  });

  it('are fetched once, however many ask', async () => {
    const tokens = await Promise.all([sign(rsa), sign(ec), sign(rsa)]);
    await Promise.all(tokens.map((token) => verify(token)));
    await verify(tokens[0]);
    expect(fetches).toBe(1);
  });

  it('are fetched again for one that is not known, but not for each token', async () => {
    await verify(await sign(rsa));
    const rotated = await signer('three', 'ES256');
    published = [rotated.jwk];
    const token = await sign(rotated);
    expect(await verify(token)).toBeUndefined();
    expect(fetches).toBe(1);
    monotonic = 10_000;
    expect(await verify(token)).toBeDefined();
    expect(fetches).toBe(2);
    for (let n = 0; n < 20; n++) await verify(await sign(rsa, {}, { kid: `made up ${String(n)}` }));
    expect(fetches).toBe(2);
    expect(await verify(await sign(rsa))).toBeUndefined();
  });

  it('go on while the issuer is away, for a day', async () => {
    const token = await sign(rsa);
    await verify(token);
    isAway = true;
    monotonic = 11 * 60_000;
    expect(await verify(token)).toBeDefined();
    await expect.poll(() => failures).toEqual(['ECONNREFUSED']);
    monotonic = 24 * 3_600_000;
    await expect(verify(token)).rejects.toThrow(KeysUnavailable);
    isAway = false;
    monotonic += 1000;
    expect(await verify(token)).toBeDefined();
  });

  it('are asked for beside a request once they are ten minutes old', async () => {
    const token = await sign(rsa);
    await verify(token);
    published = [ec.jwk];
    monotonic = 10 * 60_000 + 1;
    expect(await verify(token)).toBeDefined();
    await expect.poll(() => verify(token)).toBeUndefined();
    expect(fetches).toBe(2);
  });

  it('cannot be told from unknown ones while the issuer is away', async () => {
    isAway = true;
    await expect(verify(await sign(rsa))).rejects.toThrow(KeysUnavailable);
    await expect(verify(await sign(rsa))).rejects.toThrow(KeysUnavailable);
    expect(fetches).toBe(1);
    isAway = false;
    monotonic = 1000;
    expect(await verify(await sign(rsa))).toBeDefined();
    isAway = true;
    monotonic = 20_000;
    await expect(verify(await sign(rsa, {}, { kid: 'new' }))).rejects.toThrow(KeysUnavailable);
  });

  it.each<[string, () => Response, RegExp]>([
    ['an error', () => new Response('no', { status: 500 }), /answered 500/],
    ['something else', () => Response.json([]), /no key set/],
    ['too much', () => new Response('x'.repeat(300_000)), /more than 262144 bytes/],
    ['too many', () => Response.json({ keys: Array(101).fill(rsa.jwk) }), /more than 100 keys/],
  ])('are not taken from %s', async (_what, answer, message) => {
    const problems: string[] = [];
    const set = new RemoteKeySet({
      url: 'https://id.example/keys',
      now: () => 0,
      onFailure: (error) => void problems.push(error.message),
      fetch: () => Promise.resolve(answer()),
    });
    const verifier = new JwtVerifier({ issuer: 'i', audience: 'a', rolesClaim: 'r' }, set, () => now);
    await expect(verifier.verify(await sign(rsa))).rejects.toThrow(KeysUnavailable);
    expect(problems.join(' ')).toMatch(message);
  });
});
