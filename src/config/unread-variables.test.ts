import { expect, it } from 'vitest';
import { loadConfig } from './load.ts';

function warningsOf(env: Record<string, string>, text = '{}'): readonly string[] {
  const loaded = loadConfig({ env, fileText: { text, name: 'trama.yaml' } });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.warnings;
}

it.each([
  ['TRAMA_CONFG', '; did you mean TRAMA_CONFIG?'],
  ['TRAMA_SECRETS_KEY', '.'],
  ['TRAMA_LOGGING_LEVEL', '.'],
  ['LOGING_LEVEL', '; did you mean LOGGING_LEVEL?'],
  ['DATABASE_URI', '; did you mean DATABASE_URL?'],
  ['RUNTIME_WORKERCOUNTS', '; did you mean RUNTIME_WORKERCOUNT?'],
])('warns of %s', (name, rest) => {
  expect(warningsOf({ [name]: 'x' })).toEqual([`Nothing reads the environment variable ${name}${rest}`]);
});

it.each([
  'TRAMA_VAR_BASE',
  'TRAMA_SECRET_KEY',
  'TRAMA_URL',
  'TRAMA_API_KEY',
  'TRAMA_SERVICE_HOST',
  'TRAMA_PORT_8080_TCP',
  'HTTP_PROXY',
  'HOSTNAME',
  'NODE_OPTIONS',
  'REDIS_SERVICE_HOST',
])('says nothing of %s', (name) => {
  expect(warningsOf({ [name]: 'x' })).toEqual([]);
});

it('knows the configured prefix of secrets', () => {
  const env = { TRAMA_KEYS_A: 'x' };
  expect(warningsOf(env)).toHaveLength(1);
  expect(warningsOf(env, 'secrets: { envPrefix: TRAMA_KEYS_ }')).toEqual([]);
});
