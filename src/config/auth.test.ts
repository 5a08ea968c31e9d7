import { describe, expect, it } from 'vitest';
import { loadConfig, type LoadedConfig } from './load.ts';

const digest = 'ab'.repeat(32);

function load(text: string, env: Readonly<Record<string, string>> = {}): LoadedConfig {
  return loadConfig({ env, fileText: { text, name: 'trama.yaml' } });
}

function authOf(loaded: LoadedConfig): unknown {
  return loaded.ok ? loaded.config.security.auth : loaded.problems;
}

const key = (fields = ''): string =>
  `security: { auth: { apiKeys: [{ id: ci, sha256: ${digest}, roles: [runner]${fields} }] } }`;
const jwt = (fields: string): string => `security: { auth: { jwt: { ${fields} } } }`;

describe('the hosts of a server without authentication', () => {
  const hosts = (text: string): unknown => {
    const loaded = load(text);
    return loaded.ok ? loaded.config.server.allowedHosts : loaded.problems.length;
  };
  const local = ['localhost', '127.0.0.1', '[::1]'];

  it('are those of this machine, and that under which it is called back', () => {
    expect(hosts('')).toEqual(local);
    const base = (url: string): string => `runtime: { callback: { baseUrl: "${url}" } }`;
    expect(hosts(base('https://Trama.Example:8443/flows'))).toEqual([...local, 'trama.example']);
    expect(hosts(base('http://[2001:DB8::1]:8080'))).toEqual([...local, '[2001:db8::1]']);
    expect(hosts(base('http://localhost:8080'))).toEqual(local);
  });

  it('are those that are configured instead', () => {
    expect(hosts('server: { allowedHosts: [trama.example, "10.1.2.3:8080", "[::1]:8080"] }')).toEqual([
      'trama.example',
      '10.1.2.3:8080',
      '[::1]:8080',
    ]);
    for (const wrong of ['http://a.example', 'a.example/', '*.example', '*', '::1', 'a b', 'me@a']) {
      expect([wrong, hosts(`server: { allowedHosts: ["${wrong}"] }`)]).toEqual([wrong, 1]);
    }
  });
});

describe('a process without the API', () => {
  const worker = 'server: { host: 0.0.0.0, api: false }\ndatabase: { url: "postgres://db/trama" }\n';
  const baseUrl = 'runtime: { callback: { baseUrl: "https://t" } }';

  it('may listen beyond loopback without authentication', () => {
    expect(load(worker + baseUrl)).toMatchObject({ ok: true, warnings: [] });
    expect(load((worker + baseUrl).replace('api: false', 'api: true')).ok).toBe(false);
  });

  it('has to run something', () => {
    const loaded = load(`${worker}runtime: { enabled: false }`);
    expect(loaded.ok ? [] : loaded.problems).toEqual([
      'server.api (from file trama.yaml) and runtime.enabled (from file trama.yaml) are both false: the process would do nothing.',
    ]);
  });

  it('warns where nothing could come in, or call back', () => {
    const warnings = [
      'server.api is false: executions of the embedded store go on, but none can be started, seen or called back.',
      'runtime.callback.baseUrl is not set, so async nodes cannot run: downstreams would not know where to call back.',
    ];
    expect(load('server: { api: false }')).toMatchObject({ ok: true, warnings });
  });
});

describe('authentication', () => {
  it('is off by default, and on once there is a key or an issuer', () => {
    const enabled = (text: string): unknown => (authOf(load(text)) as { enabled: boolean }).enabled;
    expect(enabled('')).toBe(false);
    expect(enabled(key())).toBe(true);
    expect(enabled(jwt('issuer: i, audience: a, jwksUrl: "https://i/keys"'))).toBe(true);
    expect(enabled(key().replace('auth: {', 'auth: { enabled: false,'))).toBe(false);
  });

  it('allows listening beyond loopback', () => {
    const host = 'server: { host: 0.0.0.0 }\nruntime: { enabled: true, callback: { baseUrl: "https://t" } }\n';
    expect(load(host).ok).toBe(false);
    expect(load(host + key()).ok).toBe(true);
    expect(load(host + key().replace('auth: {', 'auth: { enabled: false,')).ok).toBe(false);
  });

  it('reads keys with globs and ends, also from the environment, and shows none of it', () => {
    const entry = {
      id: 'ci@x',
      sha256: digest.toUpperCase(),
      roles: ['author', 'operator'],
      definitions: ['order-*', 'pay'],
      expiresAt: '2031-01-01T00:00:00+01:00',
    };
    const loaded = load('', { SECURITY_AUTH_APIKEYS: JSON.stringify([entry]) });
    expect(authOf(loaded)).toMatchObject({
      enabled: true,
      apiKeys: [{ ...entry, sha256: digest, expiresAt: Date.UTC(2030, 11, 31, 23) }],
    });
    const shown = loaded.ok ? loaded.effective.find(({ path }) => path === 'security.auth.apiKeys')?.value : undefined;
    expect(shown).toBe('***');
  });

  it.each([
    ['an unknown role', key().replace('runner', 'root')],
    ['no role', key().replace('runner', '')],
    ['a digest that is none', key().replace(digest, 'abc')],
    ['a key instead of its digest', key().replace('sha256', 'key')],
    ['an empty list of globs, which nothing would fit', key(', definitions: []')],
    ['more globs than a query should have', key(`, definitions: [${Array(101).fill('a').join(', ')}]`)],
    ['a wildcard that is none', key(', definitions: ["order-?"]')],
    ['a time without offset', key(', expiresAt: 2031-01-01')],
    ['an odd id', key().replace('ci', '"c i"')],
  ])('refuses %s without quoting it', (_what, text) => {
    const problems = authOf(load(text)) as readonly string[];
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^security\.auth\.apiKeys \(from file trama\.yaml\) must be a list of/);
    expect(problems[0]).not.toContain(digest);
  });

  it.each([
    [
      'the same id twice',
      key().replace(' }] }', ` }, { id: ci, sha256: ${'cd'.repeat(32)}, roles: [viewer] }] }`),
      'the id ci more than once',
    ],
    [
      'the same digest twice',
      key().replace(' }] }', ` }, { id: b, sha256: ${digest}, roles: [viewer] }] }`),
      'the same sha256 for ci, b',
    ],
    ['an issuer alone', jwt('issuer: i'), 'needs audience, too'],
    ['a URL of keys alone', jwt('jwksUrl: "https://i/keys"'), 'needs issuer, too'],
  ])('refuses %s', (_what, text, sentence) => {
    const problems = authOf(load(text));
    expect(Array.isArray(problems) && problems.join(' ')).toContain(sentence);
  });

  it.each([
    [
      'keys without use',
      key().replace('auth: {', 'auth: { enabled: false,'),
      'the configured credentials are not checked',
    ],
    ['an expired key', key(', expiresAt: "2020-01-01T00:00:00Z"'), 'ci expired at 2020-01-01T00:00:00.000Z'],
    ['keys fetched in the clear', jwt('issuer: i, audience: a, jwksUrl: "http://i/keys"'), 'is not https'],
  ])('warns of %s', (_what, text, sentence) => {
    const { warnings } = load(text);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(sentence);
  });
});

describe('trusted proxies', () => {
  it.each(['10.0.0.0/8', '::1', 'fd00::/8', '192.168.0.1'])('may be %s', (proxy) => {
    expect(load(`server: { trustedProxies: ["${proxy}"] }`).ok).toBe(true);
  });

  it.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/x', 'fd00::/129', '10.0.0.0/8/8', '10.0.0.0/'])(
    'may not be %s',
    (proxy) => {
      expect(load(`server: { trustedProxies: ["${proxy}"] }`).ok).toBe(false);
    },
  );
});
