/** Parameters of `database.url` that only a real server can show to work: encryption, and what a password is bound to. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Connections } from '../../src/store/postgres/connection/connections.ts';
import { targetOf } from '../../src/store/postgres/connection/options.ts';
import { TestAuthority } from '../certificate-maker.ts';
import { PostgresServer } from '../servers/postgres.ts';

const { cert, key } = new TestAuthority().issue({ commonName: 'server', names: ['127.0.0.1'] });

let plain: PostgresServer;
let encrypted: PostgresServer;
let connections: Connections | undefined;

beforeAll(async () => {
  [plain, encrypted] = await Promise.all([PostgresServer.create(), PostgresServer.create()]);
  for (const server of [plain, encrypted]) await server.query("CREATE ROLE app LOGIN PASSWORD 'secret'");
  const rules = ['host all app 127.0.0.1/32 scram-sha-256', 'host all trama 127.0.0.1/32 trust'];
  for (const server of [plain, encrypted]) await server.putFiles({ 'pg_hba.conf': `${rules.join('\n')}\n` });
  await encrypted.putFiles({ 'server.crt': cert, 'server.key': key });
  await Promise.all([plain.restart('fast'), encrypted.restart('fast', { ssl: 'on' })]);
});
afterEach(async () => {
  await connections?.close();
});
afterAll(async () => {
  await Promise.all([plain.remove(), encrypted.remove()]);
});

/** Whether a connection to that server, with these parameters, is encrypted. */
async function isEncrypted(server: PostgresServer, parameters: string, user = 'trama'): Promise<boolean | undefined> {
  const url = `postgres://${user}:secret@127.0.0.1:${String(server.port)}/postgres?${parameters}`;
  const limits = { maxConnections: 2, minConnections: 1, statementTimeoutMillis: 2000 };
  connections = new Connections(targetOf({ url }), limits, () => undefined);
  const [row] = await connections.query<{ ssl: boolean }>('short', {
    text: 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
  });
  return row?.ssl;
}

describe('sslmode', () => {
  it.each([
    ['disable', false],
    ['allow', true],
    ['prefer', true],
    ['require', true],
  ])('%s towards a server with TLS', async (mode, expected) => {
    expect(await isEncrypted(encrypted, `sslmode=${mode}`)).toBe(expected);
  });

  it.each([
    ['disable', false],
    ['allow', false],
    ['prefer', false],
  ])('%s towards a server without TLS', async (mode, expected) => {
    expect(await isEncrypted(plain, `sslmode=${mode}`)).toBe(expected);
  });

  it.each(['sslmode=require', 'sslmode=verify-ca', 'sslmode=verify-full', 'ssl=true'])(
    '%s never goes without TLS',
    async (parameter) => {
      await expect(isEncrypted(plain, parameter)).rejects.toThrow('does not support SSL');
    },
  );

  it.each(['sslmode=verify-ca', 'sslmode=verify-full', 'ssl=true'])(
    '%s trusts no unknown authority',
    async (parameter) => {
      await expect(isEncrypted(encrypted, parameter)).rejects.toThrow('certificate');
    },
  );
});

describe('channel_binding', () => {
  it.each(['disable', 'prefer', 'require'])('%s works where the server offers it', async (binding) => {
    expect(await isEncrypted(encrypted, `sslmode=require&channel_binding=${binding}`, 'app')).toBe(true);
  });

  it('require gives no password to a connection without TLS, and takes no server that asks for none', async () => {
    const refusal = 'channel_binding=require: the server does not offer SCRAM-SHA-256-PLUS over TLS';
    await expect(isEncrypted(plain, 'channel_binding=require', 'app')).rejects.toThrow(refusal);
    await connections?.close();
    await expect(isEncrypted(encrypted, 'sslmode=require&channel_binding=require')).rejects.toThrow(refusal);
  });
});
