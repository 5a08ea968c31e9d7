import { describe, expect, it } from 'vitest';
import { loadConfig } from './load.ts';

describe('shown values', () => {
  it('hide secrets and keep the rest', () => {
    const loaded = loadConfig({
      env: {},
      directory: '.',
      fileText: {
        text: 'runtime: { callback: { hmacSecret: 0123456789abcdef0123456789abcdeg, hmacKid: k1 } }',
        name: 'trama.yaml',
      },
    });
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
    const shown = new Map(loaded.effective.map((value) => [value.path as string, value.value]));
    expect(shown.get('runtime.callback.hmacSecret')).toBe('***');
    expect(shown.get('runtime.callback.keys')).toEqual([]);
    expect(shown.get('runtime.callback.hmacKid')).toBe('k1');
    expect(JSON.stringify(loaded.effective)).not.toContain('0123456789');
  });
});

it.each([
  'redis: { password: *secret }',
  'redis: { password: "x\\qsecret" }',
  'redis: { password: @secret }',
  'redis: { password: !secret x, url: [secret }',
  'redis: { password: "${secret!}" }',
  'redis: { url: "redis//:secret@h" }',
  'redis: { cluster: { nodes: ["redis://:secret@h:1"] } }',
  'redis: { cluster: { nodes: ["me:secret@h:1", "other:6379"] } }',
  'redis: { cluster: { nodes: ["other:6379", ":secret@h:1"] } }',
  'redis: { cluster: { nodes: "other:6379,me:secret@h:1,me:secret@i:1" } }',
  'redis: { cluster: { nodes: { "me:secret@h:1": 1 } } }',
  'redis: { cluster: { nodes: "me:sec@ret/secret@h:1" } }',
  'http: { perHost: { overrides: { "me:secret@h": 1 } } }',
  'http: { egress: { proxy: "me:secret@h:3128" } }',
  'database: { host: "me:secret@h" }',
  'telemetry: { otlpEndpoint: "me:secret@h" }',
  'telemetry: { otlpEndpoint: "http://me:secret@h" }',
  'telemetry: { otlpEndpoint: "http://me:sec/ret/secret@h" }',
  'runtime: { callback: { baseUrl: "http://me:secret@h" } }',
  'runtime: { callback: { keys: [{ kid: a, secret: secret-1, x: 1 }] } }',
  'security: { auth: { jwt: { jwksUrl: "http://me:secret@h" } } }',
  'http: { egress: { proxy: "socks://me:secret@h" } }',
  'http: { egress: { deny: ["http://me:secret@h"] } }',
  'database: { host: "postgres://me:secret@h" }',
  'database: { url: "mysql://me:secret@h" }',
])('shows no secret of what cannot be used: %s', (text) => {
  const loaded = loadConfig({ env: {}, fileText: { text, name: 'trama.yaml' } });
  const problems = (loaded.ok ? [] : loaded.problems)
    .join('\n')
    .replaceAll('a list of { kid, secret } with non-empty secrets', '');
  expect(problems).not.toBe('');
  expect(problems).not.toContain('secret');
});
