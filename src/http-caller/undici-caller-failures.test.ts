import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { Socket } from 'node:net';
import type { TlsOptions, TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { authority, clientCertificate, clientKey, serverCertificate, serverKey } from '../../test/certificates.ts';
import {
  callerWith,
  closers,
  fail,
  httpServer,
  listen,
  policyOf,
  rawServer,
  requestTo,
  respond,
  tcpServer,
} from '../../test/local-servers.ts';
import type { CallAnswer } from '../ports/http-caller.ts';
import type { ResolveHost } from './connector.ts';

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

  it('no server listens: connect, unsent', async () => {
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
    const answer = await fail(callerWith(), requestTo(url, { timeoutMillis: 500 }));
    expect(answer).toMatchObject({ error: 'timeout', sent: true, status: 200 });
  });

  it('waiting for a connection counts, and leaves the call unsent for good', async () => {
    const seen: string[] = [];
    const arrived = Promise.withResolvers<() => void>();
    const { url } = await httpServer((request, response) => {
      seen.push(request.url ?? '');
      if (request.url === '/first') arrived.resolve(() => response.end());
      else response.end();
    });
    const caller = callerWith({ maxConcurrencyPerHost: 1 });
    const first = respond(caller, requestTo(`${url}/first`));
    const release = await arrived.promise;
    const second = await fail(caller, requestTo(`${url}/second`, { timeoutMillis: 50 }));
    expect(second).toMatchObject({ error: 'timeout', sent: false });
    release();
    await first;
    await respond(caller, requestTo(`${url}/third`));
    expect(seen).toEqual(['/first', '/third']);
  });

  it('the gate is asked once the connection stands, and withholds the call alone', async () => {
    const seen: string[] = [];
    const arrived = Promise.withResolvers<() => void>();
    const { url } = await httpServer((request, response) => {
      seen.push(request.url ?? '');
      if (request.url === '/first') arrived.resolve(() => response.end());
      else response.end();
    });
    const caller = callerWith({ maxConcurrencyPerHost: 1 });
    const first = respond(caller, requestTo(`${url}/first`));
    const release = await arrived.promise;
    let mayLeave = true;
    const withheld = Promise.withResolvers<string>();
    caller.start(requestTo(`${url}/second`), () => withheld.resolve('answered'), {
      mayLeave: () => mayLeave,
      withheld: () => withheld.resolve('withheld'),
    });
    mayLeave = false;
    release();
    await first;
    expect(await withheld.promise).toBe('withheld');
    await respond(caller, requestTo(`${url}/third`));
    expect(seen).toEqual(['/first', '/third']);
  });

  it('abort ends a call under way, once', async () => {
    const answers: CallAnswer[] = [];
    const arrived = Promise.withResolvers<void>();
    const cut = Promise.withResolvers<void>();
    const { url } = await httpServer((request) => {
      request.on('close', cut.resolve);
      arrived.resolve();
    });
    const handle = callerWith().start(requestTo(url), (answer) => answers.push(answer));
    await arrived.promise;
    handle.abort();
    handle.abort();
    expect(answers).toEqual([]);
    await cut.promise;
    handle.abort();
    expect(answers).toMatchObject([{ kind: 'failed', error: 'aborted', sent: true }]);
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

describe('TLS', () => {
  const resolve: ResolveHost = (_name, done) => {
    done(null, [{ address: '127.0.0.1', family: 4 }]);
  };

  async function tlsServer(options: TlsOptions): Promise<number> {
    const server = createTlsServer({ cert: serverCertificate, key: serverKey, ...options }, (request, response) => {
      const peer = (request.socket as TLSSocket).getPeerCertificate();
      response.end(peer.subject?.CN ?? 'no name');
    });
    closers.push(async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    });
    return listen(server);
  }

  it('trusts the configured authority, checks the name and shows the client certificate', async () => {
    const port = await tlsServer({ ca: authority, requestCert: true, rejectUnauthorized: true });
    const tls = { ca: authority, cert: clientCertificate, key: clientKey };
    const caller = callerWith({ resolve, tls });
    expect((await respond(caller, requestTo(`https://tls.example:${port}/`))).body).toBe('client');
    expect((await respond(caller, requestTo(`https://127.0.0.1:${port}/`))).body).toBe('client');
    expect(await fail(caller, requestTo(`https://other.example:${port}/`))).toMatchObject({
      error: 'connect',
      sent: false,
    });
  });

  it('an authority that is not trusted: connect, unsent', async () => {
    const port = await tlsServer({});
    const answer = await fail(callerWith({ resolve }), requestTo(`https://tls.example:${port}/`));
    expect(answer).toMatchObject({ error: 'connect', sent: false });
  });
});

describe('behind a proxy', () => {
  it('sends what the names allow through the proxy, and refuses the rest', async () => {
    const seen: string[] = [];
    const { url: proxy } = await httpServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      response.end('by proxy');
    });
    const caller = callerWith({
      proxy: proxy.replace('//', '//user:word@'),
      policy: policyOf({ deny: ['bad.example'] }),
    });
    expect((await respond(caller, requestTo('http://unresolvable.invalid/x?y'))).body).toBe('by proxy');
    for (const host of ['bad.example', '169.254.169.254', 'metadata.google.internal']) {
      expect(await fail(caller, requestTo(`http://${host}/`))).toMatchObject({ error: 'refused', sent: false });
    }
    expect(seen).toEqual(['GET http://unresolvable.invalid/x?y Basic dXNlcjp3b3Jk']);
  });

  it('a tunnel that the proxy refuses: connect, unsent', async () => {
    const { url: proxy, server } = await httpServer((_request, response) => response.end());
    server.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    expect(await fail(callerWith({ proxy }), requestTo('https://any.example/'))).toMatchObject({
      error: 'connect',
      sent: false,
      message: expect.stringContaining('403'),
    });
  });
});
