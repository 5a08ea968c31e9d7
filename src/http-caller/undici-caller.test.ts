import { createServer as createHttpServer } from 'node:http';
import type { RequestListener, Server as HttpServer, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setImmediate as setImmediatePromise } from 'node:timers/promises';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { numberText } from '../core/json.ts';
import type { RawNumber } from '../core/json.ts';
import type { CallAnswer, CallFailure, CallResponse, HttpCaller, OutboundRequest } from '../ports/http-caller.ts';
import { createEgressPolicy } from './egress-policy.ts';
import type { EgressPolicy, EgressRules } from './egress-policy.ts';
import { UndiciCaller } from './undici-caller.ts';
import type { UndiciCallerOptions } from './undici-caller.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function policyOf(rules: EgressRules): EgressPolicy {
  const made = createEgressPolicy(rules);
  if (!made.ok) throw new Error(made.problems.join('\n'));
  return made.policy;
}

function callerWith(options: Partial<UndiciCallerOptions> = {}): UndiciCaller {
  const caller = new UndiciCaller({ policy: policyOf({}), userAgent: 'trama/test', ...options });
  closers.push(() => caller.close());
  return caller;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function httpServer(listener: RequestListener): Promise<{ url: string; port: number; server: HttpServer }> {
  const server = createHttpServer(listener);
  const port = await listen(server);
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, port, server };
}

async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listen(server);
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return port;
}

/** A server that does as told with the socket whenever a request's head has come. */
async function rawServer(onRequest: (socket: Socket) => void): Promise<string> {
  const port = await tcpServer((socket) => {
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (!received.includes('\r\n\r\n')) return;
      received = '';
      onRequest(socket);
    });
  });
  return `http://127.0.0.1:${port}`;
}

function requestTo(url: string, more: Partial<OutboundRequest> = {}): OutboundRequest {
  return { url, verb: 'GET', headers: {}, timeoutMillis: 5000, authorityFromData: false, ...more };
}

function call(caller: HttpCaller, request: OutboundRequest): Promise<CallAnswer> {
  return new Promise((resolve) => {
    caller.start(request, resolve);
  });
}

async function respond(caller: HttpCaller, request: OutboundRequest): Promise<CallResponse> {
  const answer = await call(caller, request);
  if (answer.kind !== 'response') throw new Error(`failed: ${answer.error}: ${answer.message}`);
  return answer;
}

async function fail(caller: HttpCaller, request: OutboundRequest): Promise<CallFailure> {
  const answer = await call(caller, request);
  if (answer.kind !== 'failed') throw new Error(`answered: ${answer.status}`);
  return answer;
}

describe('requests', () => {
  it('sends exactly the given headers, plus accept-encoding and user-agent, and the body', async () => {
    const { url } = await httpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            method: request.method,
            url: request.url,
            headers: request.rawHeaders,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
    });
    const answer = await respond(
      callerWith(),
      requestTo(`${url}/a%20b?q=1#fragment`, {
        verb: 'POST',
        headers: { 'Content-Type': 'text/plain', 'X-Key': 'v' },
        body: 'grüße',
      }),
    );
    expect(answer.bodyJson).toEqual({
      method: 'POST',
      url: '/a%20b?q=1',
      headers: [
        'host',
        url.slice('http://'.length),
        'connection',
        'keep-alive',
        'Content-Type',
        'text/plain',
        'X-Key',
        'v',
        'accept-encoding',
        'gzip, deflate, br, zstd',
        'user-agent',
        'trama/test',
        'content-length',
        '7',
      ],
      body: 'grüße',
    });
    expect(answer.latencyMillis).toBeGreaterThan(0);
  });

  it('leaves accept-encoding and user-agent alone where given', async () => {
    const { url } = await httpServer((request, response) => {
      response.end(`${request.headers['accept-encoding']} ${request.headers['user-agent']}`);
    });
    const headers = { 'Accept-Encoding': 'identity', 'User-Agent': 'mine' };
    expect((await respond(callerWith(), requestTo(url, { headers }))).body).toBe('identity mine');
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])('sends %s', async (verb) => {
    const { url } = await httpServer((request, response) => {
      response.setHeader('x-verb', request.method ?? '');
      response.end();
    });
    expect((await respond(callerWith(), requestTo(url, { verb }))).headers['x-verb']).toBe(verb);
  });

  it.each([
    ['no URL', 'nowhere', {}],
    ['another scheme', 'ftp://127.0.0.1/', {}],
    ['user information', 'http://user:word@127.0.0.1/', {}],
    ['a line break in a header', 'http://127.0.0.1/', { headers: { a: 'b\r\nc: d' } }],
    ['a header outside Latin-1', 'http://127.0.0.1/', { headers: { a: 'π' } }],
    ['a header of the connection', 'http://127.0.0.1/', { headers: { 'transfer-encoding': 'chunked' } }],
  ])('refuses %s, unsent', async (_what, url, more) => {
    expect(await fail(callerWith(), requestTo(url, more))).toMatchObject({ error: 'refused', sent: false });
  });

  it('uses a connection again', async () => {
    let connections = 0;
    const { url, server } = await httpServer((_request, response) => response.end('x'));
    server.on('connection', () => connections++);
    const caller = callerWith();
    for (let i = 0; i < 5; i++) {
      await respond(caller, requestTo(url));
      // A connection is free again one turn of the event loop after its answer.
      await setImmediatePromise();
    }
    expect(connections).toBe(1);
  });

  it('keeps to the connection limit of a host', async () => {
    let most = 0;
    const open: ServerResponse[] = [];
    const { url } = await httpServer((_request, response) => {
      most = Math.max(most, open.push(response));
      if (open.length < 2) return;
      // Time for a third one to come, if one could.
      setImmediate(() => {
        for (const waiting of open.splice(0)) waiting.end('x');
      });
    });
    const caller = callerWith({ perHostOverrides: { '127.0.0.1': 2 } });
    await Promise.all(Array.from({ length: 12 }, () => respond(caller, requestTo(url))));
    expect(most).toBe(2);
  });
});

describe('answers', () => {
  it.each([
    ['application/json', '{"a":[1]}', { a: [1] }],
    ['Application/Problem+JSON; charset=utf-8', '{"a":1}', { a: 1 }],
    ['application/json', '\u{feff}{"a":1}', { a: 1 }],
    ['application/json', '{"a":', '{"a":'],
    ['text/plain', '{"a":1}', '{"a":1}'],
    ['application/json', '', null],
    ['text/plain', '', null],
    ['application/json', '"é"', 'é'],
    ['application/json', `${'['.repeat(64)}${']'.repeat(64)}`, expect.any(Array)],
    ['application/json', `${'['.repeat(65)}${']'.repeat(65)}`, expect.any(String)],
    ['application/json', `${'['.repeat(200_000)}1.10${']'.repeat(200_000)}`, expect.any(String)],
  ])('reads %s %.20s', async (type, body, json) => {
    const { url } = await httpServer((_request, response) => {
      response.setHeader('content-type', type);
      response.end(body);
    });
    const answer = await respond(callerWith(), requestTo(url));
    expect(answer.bodyJson).toEqual(json);
  });

  it('keeps the digits of numbers', async () => {
    const { url } = await httpServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end('{"big":9007199254740993,"price":10.10}');
    });
    const json = (await respond(callerWith(), requestTo(url))).bodyJson as { big: RawNumber; price: RawNumber };
    expect([numberText(json.big), numberText(json.price)]).toEqual(['9007199254740993', '10.10']);
  });

  it('reads text by its charset', async () => {
    const { url } = await httpServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; charset="ISO-8859-1"');
      response.end(Buffer.from('grüße', 'latin1'));
    });
    expect((await respond(callerWith(), requestTo(url))).body).toBe('grüße');
  });

  it('gives header names in lower case, joins repeated ones and takes bytes beyond ASCII', async () => {
    const url = await rawServer((socket) => {
      socket.end(
        Buffer.from(
          'HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a\r\nX-N: é\r\ncontent-length: 0\r\n\r\n',
          'latin1',
        ),
      );
    });
    expect((await respond(callerWith(), requestTo(url))).headers).toEqual({
      'x-a': '1, 2',
      'set-cookie': 'a',
      'x-n': 'é',
      'content-length': '0',
    });
  });

  it('does not follow redirects', async () => {
    let hits = 0;
    const { url } = await httpServer((_request, response) => {
      hits++;
      response.writeHead(307, { location: '/elsewhere' }).end('moved');
    });
    expect(await respond(callerWith(), requestTo(url))).toMatchObject({ status: 307, body: 'moved' });
    expect(hits).toBe(1);
  });

  it.each([204, 304])('takes %d as an answer without a body', async (status) => {
    const { url } = await httpServer((_request, response) => response.writeHead(status).end());
    expect(await respond(callerWith(), requestTo(url))).toMatchObject({ status, body: '', bodyJson: null });
  });

  it('takes a HEAD answer without its announced, encoded body', async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(200, { 'content-length': '5000000', 'content-encoding': 'gzip' }).end();
    });
    expect(await respond(callerWith(), requestTo(url, { verb: 'HEAD' }))).toMatchObject({ status: 200, body: '' });
  });

  it('skips informational answers', async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeProcessing();
      response.writeHead(201).end('made');
    });
    expect(await respond(callerWith(), requestTo(url))).toMatchObject({ status: 201, body: 'made' });
  });

  it.each([
    ['gzip', gzipSync('hello')],
    ['deflate', deflateSync('hello')],
    ['deflate', deflateRawSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['zstd', zstdCompressSync('hello')],
    ['deflate, gzip', gzipSync(deflateSync('hello'))],
    ['identity', Buffer.from('hello')],
    ['utf-8', Buffer.from('hello')],
  ])('decodes %s', async (coding, body) => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(200, { 'content-encoding': coding }).end(body);
    });
    expect((await respond(callerWith(), requestTo(url))).body).toBe('hello');
  });
});

describe('bodies that fail', () => {
  const oversize = 'x'.repeat(1025);
  it.each<[string, Record<string, string>, Buffer]>([
    ['plain, announced', { 'content-length': '1025' }, Buffer.from(oversize)],
    ['plain, chunked', {}, Buffer.from(oversize)],
    ['a gzip bomb', { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(50_000_000))],
    ['brotli', { 'content-encoding': 'br' }, brotliCompressSync(oversize)],
    ['gzip in gzip', { 'content-encoding': 'gzip, gzip' }, gzipSync(gzipSync(oversize))],
    ['four codings', { 'content-encoding': 'gzip,gzip,gzip,gzip' }, gzipSync('x')],
    ['bad gzip', { 'content-encoding': 'gzip' }, Buffer.from('no gzip at all')],
    ['gzip cut off', { 'content-encoding': 'gzip' }, gzipSync('hello hello').subarray(0, 20)],
  ])('%s: body, sent', async (_what, headers, body) => {
    const { url } = await httpServer((_request, response) => response.writeHead(200, headers).end(body));
    const answer = await fail(callerWith({ maxResponseBytes: 1024 }), requestTo(url));
    expect(answer).toMatchObject({ error: 'body', sent: true, status: 200 });
  });

  it('takes a body of exactly the limit', async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(1024)));
    });
    expect((await respond(callerWith({ maxResponseBytes: 1024 }), requestTo(url))).body).toHaveLength(1024);
  });

  it.each([
    ['shorter than its content-length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['chunked without an end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
    ['no HTTP at all', 'SSH-2.0-x\r\n\r\n'],
    ['a header without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}`],
  ])('%s: body, sent', async (_what, bytes) => {
    const url = await rawServer((socket) => socket.end(bytes));
    expect(await fail(callerWith(), requestTo(url))).toMatchObject({ error: 'body', sent: true });
  });

  it('a reset in the middle: body, sent', async () => {
    const url = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.resetAndDestroy());
    });
    expect(await fail(callerWith(), requestTo(url))).toMatchObject({ error: 'body', sent: true, status: 200 });
  });
});

describe('connections that fail', () => {
  it.each([
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
    ['closed', (socket: Socket) => socket.end()],
  ])('%s before an answer: connect, sent', async (_what, end) => {
    const url = await rawServer(end);
    const answer = await fail(callerWith(), requestTo(url, { verb: 'POST', body: 'x' }));
    expect(answer).toMatchObject({ error: 'connect', sent: true });
    expect(answer).not.toHaveProperty('status');
  });

  it('a kept connection that the server resets on the next request: sent, and never sent again by itself', async () => {
    let requests = 0;
    const url = await rawServer((socket) => {
      if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else socket.resetAndDestroy();
    });
    const caller = callerWith();
    await respond(caller, requestTo(url));
    expect(await fail(caller, requestTo(url))).toMatchObject({ error: 'connect', sent: true });
    expect(requests).toBe(2);
  });

  it('nobody listens: connect, unsent', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const answer = await fail(callerWith(), requestTo(`http://127.0.0.1:${port}`));
    expect(answer).toMatchObject({ error: 'connect', sent: false });
    expect(answer.message).toContain('ECONNREFUSED');
  });

  it('an unknown name: connect, unsent', async () => {
    const answer = await fail(callerWith(), requestTo('http://nonexistent.invalid/'));
    expect(answer).toMatchObject({ error: 'connect', sent: false });
  });

  it('no TLS at the other end: connect, unsent', async () => {
    const port = await tcpServer((socket) => socket.end('not TLS\r\n'));
    const answer = await fail(callerWith(), requestTo(`https://127.0.0.1:${port}`));
    expect(answer).toMatchObject({ error: 'connect', sent: false });
  });

  it('a connection that does not come about in time: connect, unsent', async () => {
    const caller = callerWith({ connectTimeoutMillis: 50, resolve: () => undefined });
    expect(await fail(caller, requestTo('http://slow.example/'))).toMatchObject({ error: 'connect', sent: false });
  });
});

describe('deadlines and aborts', () => {
  it('no answer in time: timeout, sent', async () => {
    const { url } = await httpServer(() => undefined);
    expect(await fail(callerWith(), requestTo(url, { timeoutMillis: 50 }))).toMatchObject({
      error: 'timeout',
      sent: true,
    });
  });

  it('the deadline covers the whole answer, however steadily it trickles', async () => {
    const { url } = await httpServer((_request, response) => {
      const trickle = setInterval(() => response.write('x'), 5);
      response.on('close', () => {
        clearInterval(trickle);
      });
    });
    const answer = await fail(callerWith(), requestTo(url, { timeoutMillis: 100 }));
    expect(answer).toMatchObject({ error: 'timeout', sent: true, status: 200 });
  });

  it('waiting for a connection counts, and leaves the call unsent for good', async () => {
    const seen: string[] = [];
    let release: (() => void) | undefined;
    const { url } = await httpServer((request, response) => {
      seen.push(request.url ?? '');
      if (request.url === '/first') release = () => response.end();
      else response.end();
    });
    const caller = callerWith({ maxConcurrencyPerHost: 1 });
    const first = respond(caller, requestTo(`${url}/first`));
    const second = await fail(caller, requestTo(`${url}/second`, { timeoutMillis: 50 }));
    expect(second).toMatchObject({ error: 'timeout', sent: false });
    release?.();
    await first;
    await respond(caller, requestTo(`${url}/third`));
    expect(seen).toEqual(['/first', '/third']);
  });

  it('abort ends a call under way, once', async () => {
    const answers: CallAnswer[] = [];
    const caller = callerWith();
    const closed = new Promise<void>((resolve) => {
      void httpServer((request) => {
        request.on('close', resolve);
        handle.abort();
        handle.abort();
        expect(answers).toEqual([]);
      }).then(({ url }) => {
        handle = caller.start(requestTo(url), (answer) => answers.push(answer));
      });
    });
    let handle = { abort: (): void => undefined };
    await closed;
    expect(answers).toMatchObject([{ kind: 'failed', error: 'aborted', sent: true }]);
    handle.abort();
    expect(answers).toHaveLength(1);
  });

  it('abort right after start leaves the call unsent', async () => {
    const { url, server } = await httpServer((_request, response) => response.end());
    let requests = 0;
    server.on('request', () => requests++);
    const caller = callerWith();
    const answer = await new Promise<CallAnswer>((resolve) => {
      caller.start(requestTo(url), resolve).abort();
    });
    expect(answer).toMatchObject({ error: 'aborted', sent: false });
    await respond(caller, requestTo(url));
    expect(requests).toBe(1);
  });

  it('close aborts everything, waiting calls too, and later calls', async () => {
    const arrived = Promise.withResolvers<void>();
    const { url } = await httpServer(() => {
      arrived.resolve();
    });
    const caller = callerWith({ maxConcurrencyPerHost: 1 });
    const calls = [fail(caller, requestTo(url)), fail(caller, requestTo(url))];
    await arrived.promise;
    await caller.close();
    await caller.close();
    expect(await Promise.all(calls)).toMatchObject([
      { error: 'aborted', sent: true },
      { error: 'aborted', sent: false },
    ]);
    expect(await fail(caller, requestTo(url))).toMatchObject({ error: 'aborted', sent: false });
  });
});

describe('egress', () => {
  it('refuses literal addresses and names by the address they resolve to, unsent', async () => {
    const { port } = await httpServer((_request, response) => response.end('in'));
    const caller = callerWith({
      policy: policyOf({ deny: ['127.0.0.0/8'] }),
      resolve: (_name, done) => {
        done(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    });
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', 'inside.example', '[::ffff:127.0.0.1]']) {
      const answer = await fail(caller, requestTo(`http://${host}:${port}/`));
      expect(answer).toMatchObject({ error: 'refused', sent: false });
      expect(answer.message).toContain('deny list');
    }
  });

  it('connects to the permitted ones among a name’s addresses', async () => {
    const { port } = await httpServer((_request, response) => response.end('in'));
    const caller = callerWith({
      resolve: (_name, done) => {
        done(null, [
          { address: '169.254.169.254', family: 4 },
          { address: '127.0.0.1', family: 4 },
        ]);
      },
    });
    expect((await respond(caller, requestTo(`http://mixed.example:${port}/`))).body).toBe('in');
  });

  it('never lends a connection opened under looser rules to a call whose URL comes from data', async () => {
    const { url, port } = await httpServer((_request, response) => response.end('in'));
    const caller = callerWith();
    await respond(caller, requestTo(url));
    expect(await fail(caller, requestTo(url, { authorityFromData: true }))).toMatchObject({
      error: 'refused',
      sent: false,
    });
    const listed = callerWith({ policy: policyOf({ allowPrivateFromData: ['127.0.0.0/8'] }) });
    const answer = await respond(listed, requestTo(`http://localhost:${port}/`, { authorityFromData: true }));
    expect(answer.body).toBe('in');
  });
});
