/** Clients that end their connections in every state, or send what is no HTTP: the server lives, and writes nothing to standard error. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../certificate-maker.ts';
import { startTrama, type TramaProcess } from './trama-process.ts';

const authority = new TestAuthority();
const server = authority.issue({ commonName: 'server', names: ['127.0.0.1'] });
let directory: string;
const running: TramaProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-sockets-'));
  await writeFile(join(directory, 'server.pem'), server.cert);
  await writeFile(join(directory, 'server.key'), server.key);
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await rm(directory, { recursive: true, force: true });
});

async function serve(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly trama: TramaProcess; readonly port: number }> {
  const dataDir = await mkdtemp(join(directory, 'data-'));
  const trama = startTrama(['serve', '--port', '0', '--data-dir', dataDir], env);
  running.push(trama);
  const [, url = ''] = await trama.said(/"url":"([^"]+)".*"msg":"ready"/);
  return { trama, port: Number(new URL(url).port) };
}

const body = JSON.stringify({ definition: { name: 'a', version: '1', steps: [] }, payload: 'x'.repeat(5000) });
const whole = `POST /workflows/run HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** What comes before the end. */
const beginnings: Readonly<Record<string, string>> = {
  nothing: '',
  'half a head': whole.slice(0, 40),
  'half a body': whole.slice(0, 1000),
  'a whole request': whole,
  'a request and half of another': whole + whole.slice(0, 30),
  'a watch of events': 'GET /events HTTP/1.1\r\nhost: a\r\n\r\n',
  'an upgrade': 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  'a tunnel': 'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n',
  'what is no HTTP': '\u0016\u0003\u0001\u0000\u00ff'.repeat(40),
  'a chunk of no length': 'POST /workflows/run HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'a head without end': `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(100_000)}`,
};
const ends: Readonly<Record<string, (socket: Socket) => unknown>> = {
  end: (socket) => socket.end(),
  reset: (socket) => socket.resetAndDestroy(),
  destroy: (socket) => socket.destroy(),
};

/** `open` answers what to write to; `wire` is below it. */
async function hurt(port: number, open: (wire: Socket) => Socket = (wire) => wire): Promise<void> {
  for (const text of Object.values(beginnings)) {
    for (const end of Object.values(ends)) {
      for (const millis of [0, 15]) {
        const wire = connectTcp(port, '127.0.0.1');
        wire.on('error', () => undefined);
        const socket = open(wire);
        socket.on('error', () => undefined).resume();
        socket.write(text, 'latin1');
        await pause(millis);
        end(wire);
      }
    }
  }
}

/** It runs, answers, stops in order, and wrote nothing to standard error. */
async function expectAlive(trama: TramaProcess, status: Promise<number>): Promise<void> {
  expect(await status).toBe(200);
  trama.child.kill('SIGTERM');
  const { code, out, notes } = await trama.ended;
  expect({ code, notes }).toEqual({ code: 0, notes: '' });
  expect(out).not.toMatch(/"level":"(?:error|fatal)"/);
}

describe('a server outlives its clients', () => {
  it('in the clear', async () => {
    const { trama, port } = await serve({});
    await hurt(port);
    await expectAlive(
      trama,
      fetch(`http://127.0.0.1:${String(port)}/healthz`).then((answer) => answer.status),
    );
  });

  it('by TLS, before and after the handshake', async () => {
    const env = {
      SERVER_TLS_CERTFILE: join(directory, 'server.pem'),
      SERVER_TLS_KEYFILE: join(directory, 'server.key'),
    };
    const { trama, port } = await serve(env);
    const options = { host: '127.0.0.1', port, ca: authority.cert };
    await hurt(port);
    await hurt(port, (wire) => connectTls({ ...options, socket: wire }));
    // Below TLS: broken off in the handshake, and broken records after it.
    for (const millis of [0, 1, 2, 4, 8, 16]) {
      for (const end of Object.values(ends)) {
        const wire = connectTcp(port, '127.0.0.1');
        wire.on('error', () => undefined);
        const secure = connectTls({ ...options, socket: wire });
        secure.on('error', () => undefined).resume();
        secure.write(beginnings['half a body'] ?? '');
        await pause(millis);
        wire.write('\u0017\u0003\u0003\u0000\u0010garbage');
        end(wire);
      }
    }
    const status = new Promise<number>((resolve, reject) => {
      const asked = request({ ...options, path: '/healthz' }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asked.on('error', reject).end();
    });
    await expectAlive(trama, status);
  });
});
