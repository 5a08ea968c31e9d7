import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { authority, serverCertificate, serverKey } from '../../test/certificates.ts';
import {
  call,
  callerWith,
  closers,
  listen,
  onHead,
  rawServer,
  requestTo,
  respond,
  tcpServer,
} from '../../test/local-servers.ts';
import { speak, toleratedAnswers, unknownAnswers, type SpokenAnswer } from '../../test/spoken-answers.ts';
import type { UndiciCaller } from './undici-caller.ts';

const body = '{"text":"hello, \\"HTTP/1.1 100 \\""}';

type Way = (onRequest: (socket: Socket) => void) => Promise<{ readonly caller: UndiciCaller; readonly url: string }>;

/** How calls reach a downstream. */
const ways: Readonly<Record<string, Way>> = {
  directly: async (onRequest) => ({ caller: callerWith(), url: await rawServer(onRequest) }),
  'through a proxy': async (onRequest) => ({
    caller: callerWith({ proxy: await rawServer(onRequest) }),
    url: 'http://downstream.example/',
  }),
  'through a tunnel of a proxy': async (onRequest) => {
    const sockets = new Map<number | undefined, Socket>();
    const speakOver = onHead((socket: TLSSocket) => {
      // A reset is one of TCP.
      socket.resetAndDestroy = () => (sockets.get(socket.remotePort)?.resetAndDestroy(), socket);
      onRequest(socket);
    });
    const downstream = createTlsServer({ cert: serverCertificate, key: serverKey }, (socket) => {
      socket.on('error', () => undefined);
      speakOver(socket);
    });
    downstream.on('connection', (socket: Socket) => sockets.set(socket.remotePort, socket));
    const port = await listen(downstream);
    closers.push(async () => {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise((done) => downstream.close(done));
    });
    const proxy = await tcpServer((socket) => {
      socket.once('data', () => {
        const onward = connect(port, '127.0.0.1');
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(onward).pipe(socket);
        onward.on('error', () => socket.resetAndDestroy());
        socket.on('error', () => onward.destroy());
      });
    });
    const caller = callerWith({ proxy: `http://127.0.0.1:${String(proxy)}`, tls: { ca: authority } });
    return { caller, url: 'https://tls.example/' };
  },
};

/** Two calls over the same connection, where it lives so long. */
async function twice(way: string, answer: SpokenAnswer): Promise<readonly Awaited<ReturnType<typeof call>>[]> {
  const { caller, url } = await ways[way]!((socket) => {
    speak(socket, answer, body);
  });
  const request = requestTo(url, { verb: answer.verb ?? 'POST' });
  const first = await call(caller, request);
  await turn();
  return [first, await call(caller, request)];
}

/** Whether an answer is the first of its line: the ways differ by connections alone, and those of TLS take their time. */
const isFirst = (answer: SpokenAnswer, at: number, all: readonly SpokenAnswer[]): boolean =>
  all.findIndex(({ line }) => line === answer.line) === at;

describe.each(Object.keys(ways))('%s', (way) => {
  const ofWay = (all: readonly SpokenAnswer[]): readonly SpokenAnswer[] =>
    way === 'directly' ? all : all.filter(isFirst);

  describe('is tolerated', () => {
    it.each(ofWay(toleratedAnswers))('$line: $what', async (answer) => {
      const { means } = answer;
      if (means === 'unknown') return expect.unreachable();
      const wanted = {
        kind: 'response',
        status: means.status,
        body: means.isEmpty ? '' : body,
        bodyJson: means.isEmpty ? null : (JSON.parse(body) as object),
      };
      for (const given of await twice(way, answer)) {
        expect(given).toMatchObject(wanted);
        expect(given).not.toHaveProperty('bodyProblem');
      }
    });
  });

  describe('is unknown', () => {
    it.each(ofWay(unknownAnswers))('$line: $what', async (answer) => {
      for (const given of await twice(way, answer)) {
        if (given.kind === 'failed') {
          expect(given).toMatchObject({ sent: true, error: expect.stringMatching(/^(?:body|connect)$/) });
          // Only where nothing came back that could be one.
          expect(given.error === 'connect').toBe(answer.line.startsWith('No answer'));
          expect(given.message).not.toMatch(/\n|undefined|expression/);
        } else {
          const isNoStatus = given.status > 599;
          expect(isNoStatus || given.bodyProblem !== undefined).toBe(true);
        }
      }
    });
  });
});

describe('an answer that comes before the whole request was read', () => {
  it('is taken, and the connection serves no other call', async () => {
    let connections = 0;
    const port = await tcpServer((socket) => {
      connections++;
      socket.once('data', () => {
        socket.write('HTTP/1.1 413 Payload Too Large\r\ncontent-length: 5\r\n\r\nlarge');
        socket.pause();
        setTimeout(() => socket.resume(), 20);
      });
    });
    const caller = callerWith();
    const request = requestTo(`http://127.0.0.1:${String(port)}`, { verb: 'POST', body: 'x'.repeat(32 * 1024 * 1024) });
    for (let n = 1; n <= 2; n++) {
      expect(await respond(caller, request)).toMatchObject({ status: 413, body: 'large' });
      expect(connections).toBe(n);
    }
  });
});

describe('bytes that come when nothing was asked', () => {
  it('are never taken for the next answer: their connection is dropped', async () => {
    let answered = 0;
    const late = Promise.withResolvers<void>();
    const url = await rawServer((socket) => {
      const text = String(++answered);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${text}`);
      if (answered > 1) return;
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale'), 5);
      socket.on('close', late.resolve);
    });
    const caller = callerWith();
    expect((await respond(caller, requestTo(url))).body).toBe('1');
    await late.promise;
    expect((await respond(caller, requestTo(url))).body).toBe('2');
  });
});
