import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer as createHttps, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MadeCertificate, TestAuthority } from '../../../test/certificate-maker.ts';
import { renewServerTls } from '../../api/http/server-tls.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/config.ts';
import { OwnListeners } from '../../http-caller/own-listeners.ts';
import type { CallAnswer } from '../../ports/http-caller.ts';
import type { LogFields } from '../../ports/telemetry.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { createCaller } from '../caller.ts';
import { createOfflineServer } from '../offline-server.ts';
import { followServerTls } from './server-tls.ts';
import { invalidCertificates } from './tls-files.ts';
import { TlsRenewal, tlsCheckMillis } from './tls-renewal.ts';

const authority = new TestAuthority();
const other = new TestAuthority('Other');
const names = ['127.0.0.1', 'localhost'];
const first = authority.issue({ commonName: 'first', names });
const second = authority.issue({ commonName: 'second', names });
const foreign = other.issue({ commonName: 'foreign', names });

let directory: string;
let clock: VirtualClock;
let said: (readonly [level: string, message: string, fields: LogFields | undefined])[];
let renewal: TlsRenewal;
let config: Config;
let closers: (() => unknown)[];

const at = (name: string): string => join(directory, name);
const write = (name: string, { cert, key }: MadeCertificate): void => {
  writeFileSync(at(`${name}.pem`), cert);
  writeFileSync(at(`${name}.key`), key);
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-renewal-'));
  clock = new VirtualClock();
  said = [];
  closers = [];
  write('own', first);
  writeFileSync(at('ca.pem'), authority.cert);
  const pair = `certFile: ${at('own.pem')}, keyFile: ${at('own.key')}`;
  const text = [
    `server: { tls: { ${pair}, clientCaFile: ${at('ca.pem')} } }`,
    `http: { egress: { allowPrivate: true, tls: { ${pair}, caFile: ${at('ca.pem')} } } }`,
  ].join('\n');
  const loaded = loadConfig({ env: {}, fileText: { name: 'x', text } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  ({ config } = loaded);
  renewal = new TlsRenewal({
    clock,
    telemetry: { log: (level, message, fields) => void said.push([level, message, fields]) },
    doubts: () => invalidCertificates(config, Date.UTC(2026, 0)),
  });
});

afterEach(async () => {
  renewal.stop();
  for (const close of closers) await close();
  rmSync(directory, { recursive: true, force: true });
});

const renewed = (group: string) => ['info', 'renewed certificate files are in use', { group }] as const;
const refused = (group: string, error: unknown) =>
  ['error', 'changed certificate files cannot be used, the earlier ones stay in use', { group, error }] as const;

describe('files of TLS that change', () => {
  const live = () => renewal.live('redis.tls', { ...config.http.egress.tls, isOn: true, serverName: 'db' })!;

  it('are read again, also where a link leads elsewhere and the files themselves do not change', async () => {
    // As Kubernetes mounts a secret: file → ..data/file, ..data → a folder of that version.
    for (const [folder, made] of [
      ['v1', first],
      ['v2', second],
    ] as const) {
      mkdirSync(at(folder));
      write(`${folder}/tls`, made);
      for (const file of ['tls.pem', 'tls.key']) utimesSync(at(`${folder}/${file}`), 1000, 1000);
    }
    symlinkSync('v1', at('data'));
    const files = { certFile: at('data/tls.pem'), keyFile: at('data/tls.key'), caFile: undefined };
    const material = renewal.live('redis.tls', { ...files, isOn: true, serverName: undefined })!;
    renewal.start();
    await clock.advance(3 * tlsCheckMillis);
    expect([material.cert, said]).toEqual([first.cert, []]);
    symlinkSync('v2', at('next'));
    renameSync(at('next'), at('data'));
    await clock.advance(tlsCheckMillis);
    expect([material.cert, material.key]).toEqual([second.cert, second.key]);
    expect(said).toEqual([renewed('redis.tls')]);
  });

  it('stay as they were while they cannot be used, which is said and shown', async () => {
    const material = live();
    renewal.start();
    write('own', second);
    writeFileSync(at('own.key'), foreign.key);
    // One look may fall between two files of a pair.
    await clock.advance(tlsCheckMillis);
    expect(said).toEqual([]);
    await clock.advance(5 * tlsCheckMillis);
    expect(said).toEqual([refused('redis.tls', expect.stringContaining('redis.tls.keyFile: the key in the file'))]);
    expect([...renewal.stale]).toEqual([['redis.tls', true]]);
    expect(material.cert).toBe(first.cert);
    rmSync(at('own.pem'));
    await clock.advance(tlsCheckMillis);
    expect(said[1]).toEqual(refused('redis.tls', expect.stringContaining('cannot be read (ENOENT)')));
    write('own', second);
    await clock.advance(tlsCheckMillis);
    expect(said.slice(2)).toEqual([renewed('redis.tls')]);
    expect([...renewal.stale]).toEqual([['redis.tls', false]]);
    expect([material.cert, material.ca]).toEqual([second.cert, authority.cert]);
  });

  it('are no news when they only were written again', async () => {
    live();
    renewal.start();
    utimesSync(at('own.pem'), 1000, 1000);
    await clock.advance(2 * tlsCheckMillis);
    expect(said).toEqual([]);
  });

  it('warn where they are renewed too late', async () => {
    const { tls } = config.server;
    followServerTls(tls, renewal, () => undefined);
    renewal.start();
    write('own', authority.issue({ commonName: 'late', names, notAfter: new Date('2021-01-01T00:00:00Z') }));
    await clock.advance(tlsCheckMillis);
    expect(said.map(([level, message]) => [level, message])).toEqual([
      ['info', 'renewed certificate files are in use'],
      ['warn', 'server.tls.certFile: the certificate expired at 2021-01-01T00:00:00.000Z'],
    ]);
  });
});

/** The name in the certificate that is shown there to a caller with this pair. */
async function shownAt(host: string, port: number, pair: MadeCertificate): Promise<string | undefined> {
  const asked = request({ host, port, path: '/healthz', ...pair, ca: authority.cert, agent: false, servername: '' });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [{ resume: () => void; socket: TLSSocket }];
  const { subject } = answer.socket.getPeerCertificate();
  answer.resume();
  await once(answer as never, 'end');
  return subject.CN as string | undefined;
}

describe('a certificate that is renewed', () => {
  it('is shown by every listener of the API to connections made from then on, and those that stand go on', async () => {
    const tls = followServerTls(config.server.tls, renewal, (latest) => {
      renewServerTls(api, latest);
    })!;
    const api = createOfflineServer('1', tls);
    closers.push(() => api.close());
    await api.listen({ host: 'localhost', port: 0 });
    const places = (api.addresses() as AddressInfo[]).map(({ address, port }) => [address, port] as const);
    const [, port] = places[0]!;
    const standing = connect({ host: places[0]![0], port, ca: authority.cert, ...first, servername: '' });
    closers.push(() => standing.destroy());
    await once(standing, 'secureConnect');
    for (const [host, at] of places) expect(await shownAt(host, at, first)).toBe('first');
    write('own', second);
    writeFileSync(join(directory, 'ca.pem'), authority.cert + other.cert);
    renewal.look();
    expect(said).toEqual([renewed('server.tls')]);
    for (const [host, at] of places) {
      expect(await shownAt(host, at, first)).toBe('second');
      // Callers of the new authority are let in, too.
      expect(await shownAt(host, at, foreign)).toBe('second');
    }
    standing.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [chunk] = (await once(standing, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('is shown to downstreams by calls that start from then on, and authorities are those of the files', async () => {
    const seen: (string | undefined)[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const options = { ca: [authority.cert, other.cert], requestCert: true };
    const start = async (pair: MadeCertificate): Promise<Server> => {
      const server = createHttps({ ...options, ...pair }, (asked, answer) => {
        seen.push((asked.socket as TLSSocket).getPeerCertificate().subject.CN as string | undefined);
        void (asked.url === '/held' ? held : Promise.resolve()).then(() => answer.end('{}'));
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      closers.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
      return server;
    };
    const [known, unknown] = [await start(first), await start(foreign)];
    const caller = createCaller(config, { version: '1', own: new OwnListeners([], undefined), renewal });
    closers.unshift(() => caller.close());
    const call = (server: Server, path = '/'): Promise<CallAnswer> =>
      new Promise((resolve) => {
        const { port } = server.address() as AddressInfo;
        const url = `https://127.0.0.1:${port}${path}`;
        const rest = { authorityFromData: false, timeoutMillis: 30_000 };
        caller.start({ verb: 'POST', url, headers: {}, body: '{}', ...rest }, resolve);
      });
    expect(await call(known)).toMatchObject({ kind: 'response' });
    expect(await call(unknown)).toMatchObject({ kind: 'failed', error: 'connect' });
    const before = call(known, '/held');
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    write('own', second);
    writeFileSync(at('ca.pem'), authority.cert + other.cert);
    renewal.look();
    expect(said).toEqual([renewed('http.egress.tls')]);
    expect(await call(known)).toMatchObject({ kind: 'response' });
    expect(await call(unknown)).toMatchObject({ kind: 'response' });
    release();
    // A call that was under way ends as it began.
    expect(await before).toMatchObject({ kind: 'response' });
    expect(seen).toEqual(['first', 'first', 'second', 'second']);
  });
});
