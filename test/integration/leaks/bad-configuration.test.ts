/** Starts that fail because of a value that holds a secret: the output says what is wrong, and shows no secret. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serverCertificate } from '../../certificates.ts';
import { type Ended, startTrama, trama } from '../../e2e/trama-process.ts';
import { freePorts } from '../../servers/free-ports.ts';
import { Canaries } from './canaries.ts';

const canaries = new Canaries();
const secret = canaries.plant('Secret');
let directory: string;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-bad-'));
  const files = {
    'cert.pem': serverCertificate,
    'key.pem': `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
    'alias.yaml': `redis:\n  password: *${secret}\n`,
    'escape.yaml': `redis:\n  password: "${secret}\\q"\n`,
    'placeholder.yaml': `redis:\n  password: "x\${${secret}!}"\n`,
    'key-as-value.yaml': `redis:\n  password:\n    ${secret}: 1\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  env = { LOGGING_LEVEL: 'trace', DATABASE_DATADIR: join(directory, 'data'), PORT: '0' };
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function expectSilence({ code, out, notes }: Ended, says: RegExp): void {
  expect(code).not.toBe(0);
  expect(notes).toMatch(says);
  expect(canaries.find(out + notes, 'secret')).toEqual([]);
}

/** `<dir>` stands for the directory, `<secret>` for the secret. */
it.each<[what: string, args: readonly string[], env: Readonly<Record<string, string>>, says: RegExp]>([
  ['an alias that is not defined', ['--config', '<dir>/alias.yaml'], {}, /not YAML/],
  ['an escape that is none', ['--config', '<dir>/escape.yaml'], {}, /not YAML/],
  ['a placeholder that is none', ['--config', '<dir>/placeholder.yaml'], {}, /redis\.password .* placeholder/],
  ['a map for a password', ['--config', '<dir>/key-as-value.yaml'], {}, /redis\.password .* must be/],
  ['a password in the URL of the collector', [], { TELEMETRY_OTLPENDPOINT: 'http://me:<secret>@h' }, /otlpEndpoint/],
  ['a password for a node of Redis Cluster', [], { REDIS_CLUSTER_NODES: 'a:1,me:<secret>@b:1' }, /cluster\.nodes/],
  ['a short secret for callback tokens', [], { RUNTIME_CALLBACK_HMACSECRET: '<secret>' }, /less than 32 characters/],
  ['a slash in a password of Postgres', [], { DATABASE_URL: 'postgres://me:1/<secret>@h/d' }, /percent-encoded/],
  ['a URL for a host of Postgres', [], { DATABASE_HOST: 'postgres://me:<secret>@h/d' }, /database\.host/],
  [
    'a list of keys that is no JSON',
    [],
    { RUNTIME_CALLBACK_KEYS: '[{"kid":"a","secret":"<secret>"' },
    /callback\.keys/,
  ],
  ['a list of API keys with more in it', [], { SECURITY_AUTH_APIKEYS: '[{"key":"<secret>"}]' }, /apiKeys/],
  [
    'a private key that is none',
    ['--set', 'server.tls.certFile=<dir>/cert.pem', '--set', 'server.tls.keyFile=<dir>/key.pem'],
    {},
    /start/,
  ],
  ['a setting without its sign', ['--set', 'redis.password:<secret>'], {}, /--set redis\.password/],
])('%s', async (_what, args, more, says) => {
  const filled = (text: string): string => text.replace('<dir>', directory).replaceAll('<secret>', secret);
  const changes = Object.entries(more).map(([name, value]) => [name, filled(value)] as const);
  expectSilence(await trama(['serve', ...args.map(filled)], { ...env, ...Object.fromEntries(changes) }), says);
});

it('a database of Redis that is no number, without a wait for a Postgres that is away', async () => {
  const [closed = 0] = await freePorts(1);
  const server = startTrama(['serve'], {
    ...env,
    DATABASE_URL: `postgres://me:${secret}@127.0.0.1:${String(closed)}/d`,
    REDIS_URL: `redis://:${secret}@h:1/x`,
  });
  expectSilence(await server.ended, /number of a database/);
});

it('a password in the URL of a server', async () => {
  const { code, out, notes } = await trama(['ls'], { TRAMA_URL: `http://me:${secret}@127.0.0.1:1` });
  expect(code).toBe(2);
  expect(notes).toContain('TRAMA_URL must contain no user info');
  expect(canaries.find(out + notes, 'secret')).toEqual([]);
});
