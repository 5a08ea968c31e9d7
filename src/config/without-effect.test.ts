import { expect, it } from 'vitest';
import { loadConfig } from './load.ts';

it('refuses a key that is set nested and with dots', () => {
  const text = 'server: { port: 1 }\nserver.port: 2';
  expect(loadConfig({ env: {}, fileText: { text, name: 'trama.yaml' } })).toMatchObject({
    ok: false,
    problems: ['server.port (from file trama.yaml) is set twice, nested and with dots; remove one of them.'],
  });
});

it('refuses a key that two flags give', () => {
  const flags = [
    { path: 'server.port', value: '1', flag: '--set server.port' },
    { path: 'server.port', value: '2', flag: '--port' },
  ];
  expect(loadConfig({ env: {}, flags, fileText: { text: '{}', name: 'trama.yaml' } })).toMatchObject({
    ok: false,
    problems: ['server.port is given twice, by flag --set server.port and by flag --port; give one of them.'],
  });
});

it.each([
  [
    'database: { driver: EMBEDDED, url: "postgres://h/d" }',
    'database.driver (from file trama.yaml) is EMBEDDED, so that database.url and database.host count for nothing.',
  ],
  [
    'redis: { topology: NONE, url: "redis://h" }',
    'redis.topology (from file trama.yaml) is NONE, so that redis.url counts for nothing.',
  ],
  [
    'database: { host: h }\nredis: { topology: STANDALONE, url: "redis://h", cluster: { nodes: ["a:1"] } }',
    'redis.topology (from file trama.yaml) is STANDALONE, so that redis.cluster.nodes counts for nothing.',
  ],
])('warns of what is not in use: %s', (text, warning) => {
  const loaded = loadConfig({ env: {}, fileText: { text, name: 'trama.yaml' } });
  expect(loaded).toMatchObject({ ok: true });
  expect(loaded.warnings.filter((line) => !line.startsWith('redis.cluster.nodes names'))).toEqual([warning]);
});

it('refuses JSON of the environment and of flags that names a key twice', () => {
  const env = { SECRETS_HOSTS: '{"API_KEY":["a.example"],"API_KEY":["b.example"]}' };
  expect(loadConfig({ env, fileText: { text: '{}', name: 'trama.yaml' } })).toMatchObject({
    ok: false,
    problems: [
      'secrets.hosts (from environment variable SECRETS_HOSTS) is JSON that names a key twice: API_KEY: This key stands twice in its object, the second time at line 1, column 26.',
    ],
  });
});
