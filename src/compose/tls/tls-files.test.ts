import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MadeCertificate, TestAuthority } from '../../../test/certificate-maker.ts';
import { loadConfig } from '../../config/load.ts';
import { invalidCertificates, readAuthorities, readKeyPair, readTls } from './tls-files.ts';

const authority = new TestAuthority();
const client = authority.issue({ commonName: 'client' });
const other = authority.issue({ commonName: 'other' });
const past = new Date('2021-01-01T00:00:00Z');
const expired = authority.issue({ commonName: 'old', names: ['localhost'], notAfter: past });
const future = new Date('2048-01-01T00:00:00Z');

let directory: string;
const at = (name: string): string => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-tls-files-'));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = {
    'ca.pem': authority.cert,
    'other-ca.pem': new TestAuthority('Another').cert,
    'client.pem': client.cert,
    'client.key': client.key,
    'other.key': other.key,
    'locked.key': privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'p' }),
    'text.pem': 'hello',
    'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'broken.key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text);
  mkdirSync(at('folder'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const unprivileged = 65_534;
const none = { isOn: true, caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined };

describe('files of TLS', () => {
  it('are read', () => {
    expect(readAuthorities(at('ca.pem'), 'k')).toBe(authority.cert);
    expect(readKeyPair('k', { certFile: at('client.pem'), keyFile: at('client.key') })).toEqual(client);
    expect(readTls('k', { ...none, isOn: false })).toBeUndefined();
    const files = { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client.key'), serverName: 'db' };
    const { explain: _explain, ...read } = readTls('k', { isOn: true, ...files })!;
    expect(read).toEqual({ ca: authority.cert, ...client, serverName: 'db' });
    expect(readTls('k', none)).toEqual({ explain: expect.any(Function) as unknown });
  });

  it.each<[string, Partial<typeof none> | Readonly<Record<string, string>>, string]>([
    ['is missing', { caFile: 'nowhere.pem' }, 'redis.tls.caFile: the file @nowhere.pem cannot be read (ENOENT).'],
    ['is a directory', { caFile: 'folder' }, 'redis.tls.caFile: the file @folder cannot be read (EISDIR).'],
    ['holds no PEM', { caFile: 'text.pem' }, 'redis.tls.caFile: the file @text.pem holds no certificate in PEM.'],
    ['holds a key', { caFile: 'client.key' }, 'redis.tls.caFile: the file @client.key holds no certificate in PEM.'],
    [
      'is cut off',
      { caFile: 'broken.pem' },
      'redis.tls.caFile: a certificate in the file @broken.pem cannot be read (',
    ],
    [
      'is no certificate of a pair',
      { certFile: 'client.key', keyFile: 'client.key' },
      'redis.tls.certFile: the file @client.key holds no certificate in PEM.',
    ],
    [
      'is a broken certificate of a pair',
      { certFile: 'broken.pem', keyFile: 'client.key' },
      'redis.tls.certFile: a certificate in the file @broken.pem cannot be read (',
    ],
    [
      'is no key',
      { certFile: 'client.pem', keyFile: 'client.pem' },
      'redis.tls.keyFile: the file @client.pem holds no private key in PEM.',
    ],
    [
      'is a broken key',
      { certFile: 'client.pem', keyFile: 'broken.key' },
      'redis.tls.keyFile: the key in the file @broken.key cannot be read (',
    ],
    [
      'is a key with a passphrase',
      { certFile: 'client.pem', keyFile: 'locked.key' },
      'redis.tls.keyFile: the key in the file @locked.key has a passphrase; Trama needs a key without one.',
    ],
    [
      "is another certificate's key",
      { certFile: 'client.pem', keyFile: 'other.key' },
      'redis.tls.keyFile: the key in the file @other.key does not belong to the certificate in @client.pem (redis.tls.certFile) (',
    ],
  ])('are refused by the name of their key when one %s', (_case, files, sentence) => {
    const paths = Object.fromEntries(Object.entries(files).map(([key, name]) => [key, at(String(name))]));
    expect(() => readTls('redis.tls', { ...none, ...paths })).toThrow(sentence.replaceAll('@', `${directory}/`));
  });

  it('are refused by the name of their key when one may not be read', () => {
    chmodSync(directory, 0o755);
    chmodSync(at('other.key'), 0);
    const isRoot = process.getuid?.() === 0;
    // Root may read everything; as anybody else this is how things are.
    if (isRoot) process.seteuid?.(unprivileged);
    try {
      expect(() => readTls('database.ssl', { ...none, certFile: at('client.pem'), keyFile: at('other.key') })).toThrow(
        `database.ssl.keyFile: the file ${at('other.key')} cannot be read (EACCES).`,
      );
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('say when a certificate is not valid now', () => {
    const early = authority.issue({ commonName: 'early', notBefore: future });
    const write = (name: string, { cert, key }: MadeCertificate): string => {
      const [certFile, keyFile] = [at(`${name}.pem`), at(`${name}.key`)];
      writeFileSync(certFile, cert);
      writeFileSync(keyFile, key);
      return `{ certFile: ${certFile}, keyFile: ${keyFile} }`;
    };
    const text = `database: { ssl: ${write('expired', expired)} }\nredis: { tls: ${write('early', early)} }`;
    const loaded = loadConfig({
      env: {},
      fileText: { name: 'x', text: `${text}\nhttp: { egress: { tls: ${write('good', client)} } }` },
    });
    expect(loaded.ok && invalidCertificates(loaded.config, Date.UTC(2026, 0))).toEqual([
      'database.ssl.certFile: the certificate expired at 2021-01-01T00:00:00.000Z',
      'redis.tls.certFile: the certificate is not valid before 2048-01-01T00:00:00.000Z',
    ]);
  });
});

describe('an error of a connection', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const listen = async (options: TlsOptions | undefined): Promise<number> => {
    const server = options === undefined ? createPlainServer((socket) => socket.end('hello')) : createServer(options);
    servers.push(server.on('tlsClientError', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  /** What is said when a client of these settings connects. */
  const explained = async (port: number, files: Partial<typeof none> | object): Promise<string | undefined> => {
    const { explain, serverName, ...pems } = readTls('redis.tls', { ...none, ...files })!;
    const name = serverName === undefined ? {} : { servername: serverName };
    const socket = connect({ host: '127.0.0.1', port, ...pems, ...name });
    socket.resume();
    const [error] = (await once(socket, 'error')) as [Error];
    return explain(error);
  };
  const local = authority.issue({ commonName: 'server', names: ['127.0.0.1'] });

  it('names the key that has to do with it', async () => {
    const good = await listen({ ...local, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    const caFile = at('ca.pem');
    expect(await explained(good, {})).toBe('redis.tls.caFile names the authority where it is not a well-known one');
    expect(await explained(good, { caFile: at('other-ca.pem') })).toBe(
      "redis.tls.caFile does not hold the authority of the server's certificate",
    );
    expect(await explained(good, { caFile })).toBe(
      'the server wants a client certificate: redis.tls.certFile and redis.tls.keyFile',
    );
    expect(await explained(good, { caFile, serverName: 'elsewhere' })).toBe(
      'redis.tls.serverName says which name to expect',
    );
    const old = await listen({ ...authority.issue({ commonName: 'o', names: ['127.0.0.1'], notAfter: past }) });
    expect(await explained(old, { caFile })).toBe("the server's certificate or its authority's, redis.tls.caFile");
    const plain = await listen(undefined);
    expect(await explained(plain, { caFile })).toBe('the server speaks no TLS there, and redis.tls is on');
  });

  it('knows how OpenSSL tells that a client certificate is refused', () => {
    const { explain } = readTls('redis.tls', { ...none, certFile: at('client.pem'), keyFile: at('client.key') })!;
    for (const what of ['TLSV1_ALERT_UNKNOWN_CA', 'SSLV3_ALERT_CERTIFICATE_EXPIRED', 'SSLV3_ALERT_BAD_CERTIFICATE']) {
      expect(explain(Object.assign(new Error('alert'), { code: `ERR_SSL_${what}` }))).toBe(
        'the server does not accept the client certificate, redis.tls.certFile',
      );
    }
  });

  it('knows the words of Postgres, and keeps silent about all else', () => {
    const { explain } = readTls('database.ssl', none)!;
    const refusal = Object.assign(new Error('connection requires a valid client certificate'), { code: '28000' });
    expect(explain(refusal)).toBe(
      'the server wants a client certificate: database.ssl.certFile and database.ssl.keyFile',
    );
    expect(explain(new Error('The server does not support SSL connections'))).toBe(
      'the server speaks no TLS there, and database.ssl is on',
    );
    expect(explain(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))).toBeUndefined();
  });
});
