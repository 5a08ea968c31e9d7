import type { ServerResponse } from 'node:http';
import { setImmediate as setImmediatePromise } from 'node:timers/promises';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { callerWith, fail, httpServer, rawServer, requestTo, respond } from '../../test/local-servers.ts';
import { numberText } from '../core/value/json.ts';
import type { RawNumber } from '../core/value/json.ts';

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

  it.each([
    ['text/plain; charset="ISO-8859-1"', Buffer.from('"grüße"', 'latin1'), '"grüße"', '"grüße"'],
    ['application/json; charset=ISO-8859-1', Buffer.from('"grüße"', 'latin1'), '"grüße"', 'grüße'],
    ['application/json;charset=utf-16le', Buffer.from('"grüße"', 'utf16le'), '"grüße"', 'grüße'],
    ['image/png', Buffer.from([0x89, 0x50, 0xff]), 'iVD/', 'iVD/'],
  ])('reads a body by its charset: %s', async (type, bytes, text, json) => {
    const { url } = await httpServer((_request, response) => response.setHeader('content-type', type).end(bytes));
    expect(await respond(callerWith(), requestTo(url))).toMatchObject({ body: text, bodyJson: json });
  });

  it.each<[string, Record<string, string>, Buffer, string]>([
    [
      'text',
      { 'content-type': 'text/plain' },
      Buffer.from([0xfc]),
      'is not UTF-8, and its Content-Type declares no other charset',
    ],
    [
      'JSON',
      { 'content-type': 'application/json; charset=utf-8' },
      Buffer.from([0x22, 0xfc, 0x22]),
      'is not valid UTF-8, which its Content-Type declares',
    ],
    [
      'an unknown charset',
      { 'content-type': 'application/json; charset=utf-7' },
      Buffer.from('{}'),
      'has a charset that is not known (utf-7)',
    ],
    [
      'an unknown coding',
      { 'content-encoding': 'compress' },
      Buffer.from('{}'),
      'has a content coding that is not known (compress)',
    ],
    ['four codings', { 'content-encoding': 'gzip,gzip,gzip,gzip' }, gzipSync('x'), 'has more than 3 content codings'],
    [
      'bad gzip',
      { 'content-encoding': 'gzip' },
      Buffer.from('no gzip at all'),
      'is not valid gzip: incorrect header check',
    ],
    [
      'gzip cut off',
      { 'content-encoding': 'gzip' },
      gzipSync('hello hello').subarray(0, 20),
      'is not valid gzip: unexpected end of file',
    ],
  ])('says why a body cannot be read, and gives none: %s', async (_what, headers, body, problem) => {
    const { url } = await httpServer((_request, response) => response.writeHead(409, headers).end(body));
    const answer = await respond(callerWith(), requestTo(url));
    expect(answer).toMatchObject({ status: 409, body: '', bodyJson: null, bodyProblem: `The answer ${problem}.` });
  });

  it('gives header names in lower case, joins repeated ones and takes bytes beyond ASCII', async () => {
    const url = await rawServer((socket) => {
      socket.end(
        Buffer.from(
          'HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-B:  b  \r\nSet-Cookie: a\r\nX-N: é\r\ncontent-length: 0\r\n\r\n',
          'latin1',
        ),
      );
    });
    expect((await respond(callerWith(), requestTo(url))).headers).toEqual({
      'x-a': '1, 2',
      'x-b': 'b',
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

  it.each([
    ['of a known length', 'content-length: 10\r\n\r\nabc'],
    ['of a known length, the last on its connection', 'connection: close\r\ncontent-length: 10\r\n\r\nabc'],
    ['that ends with its connection', 'connection: close\r\ncontent-type: application/json\r\n\r\n{"a":1'],
    ['that ends with its connection, where what has come is JSON', 'connection: close\r\n\r\n{"a":1}'],
    ['in chunks', 'connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('a reset in the middle of one %s: body, sent', async (_what, bytes) => {
    const url = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${bytes}`, () => setTimeout(() => socket.resetAndDestroy(), 20));
    });
    expect(await fail(callerWith(), requestTo(url))).toMatchObject({ error: 'body', sent: true, status: 200 });
  });

  it.each([
    ['of a known length', 'content-length: 3\r\n\r\nabc'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
  ])('a reset after one that is whole does not matter: one %s', async (_what, bytes) => {
    const url = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n${bytes}`, () => socket.resetAndDestroy());
    });
    expect((await respond(callerWith(), requestTo(url))).body).toBe('abc');
  });

  it('one without a length is whole at the orderly end of its connection', async () => {
    const url = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nabc'));
    expect((await respond(callerWith(), requestTo(url))).body).toBe('abc');
  });
});
