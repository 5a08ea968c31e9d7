import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../test/api-fixture.ts';
import { authority, serverCertificate, serverKey } from '../../../test/certificates.ts';
import { LingeringCloses } from './lingering-closes.ts';
import type { ServerOptions } from '../server.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A client that writes everything before it reads. */
class SlowWriter {
  readonly socket: Socket;
  #error: NodeJS.ErrnoException | undefined;

  constructor(port: number, tls: boolean = false) {
    const options = { port, host: '127.0.0.1', allowHalfOpen: true };
    this.socket = tls ? connectTls({ ...options, ca: authority, servername: 'tls.example' }) : connect(options);
    // The handshake needs a reader.
    if (tls) this.socket.once('secureConnect', () => this.socket.pause());
    else this.socket.pause();
    this.socket.on('error', (error) => (this.#error ??= error));
    closers.push(async () => {
      this.socket.destroy();
      if (!this.socket.closed) await once(this.socket, 'close');
    });
  }

  /**
   * Writes pieces one after the other, each once the previous one was sent. Returns the number sent before the
   * connection failed.
   */
  async write(pieces: Iterable<string | Buffer>): Promise<number> {
    let count = 0;
    for (const piece of pieces) {
      await new Promise<void>((resolve) => {
        this.socket.write(piece, () => {
          resolve();
        });
      });
      await turn();
      if (this.#error !== undefined || this.socket.destroyed) return count;
      count++;
    }
    return count;
  }

  /** Reads until the server ends its side, and returns the text; throws the error of a failed connection. */
  async read(): Promise<string> {
    let text = '';
    this.socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const over = Promise.withResolvers<void>();
    this.socket.on('end', over.resolve).on('close', over.resolve);
    if (this.socket.destroyed) over.resolve();
    this.socket.resume();
    await over.promise;
    if (this.#error !== undefined) throw this.#error;
    return text;
  }
}

const kibibyte = 1024;
const piece = Buffer.alloc(64 * kibibyte, 'x');
function* pieces(head: string, count: number): Generator<string | Buffer> {
  yield head;
  for (let n = 0; n < count; n++) yield piece;
}
const inChunk = Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]);

async function api(tls?: ServerOptions['tls']): Promise<{ fixture: ApiFixture; port: number }> {
  const fixture = await new ApiFixture(tls === undefined ? {} : { tls }).open();
  closers.push(() => fixture.close());
  await fixture.server.listen({ port: 0, host: '127.0.0.1' });
  return { fixture, port: (fixture.server.server.address() as AddressInfo).port };
}

const post = 'POST /workflows/run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
const size = 16 * kibibyte * kibibyte;

describe('a client that writes more than is read gets the answer to read', () => {
  it.each<[string, string, number, Buffer, string]>([
    ['a length above the limit', `${post}content-length: ${String(size)}\r\n\r\n`, 413, piece, 'too_large'],
    ['chunks beyond the limit', `${post}transfer-encoding: chunked\r\n\r\n`, 413, inChunk, 'too_large'],
    [
      'a length, on a connection that the client will not use again',
      `${post}connection: close\r\ncontent-length: ${String(size)}\r\n\r\n`,
      413,
      piece,
      'too_large',
    ],
    [
      'another type, on such a connection',
      `${post.replace('application/json', 'text/plain')}connection: close\r\ncontent-length: ${String(size)}\r\n\r\n`,
      415,
      piece,
      'unsupported_media_type',
    ],
    [
      'a route that is not there, on such a connection',
      `POST /nope HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: ${String(size)}\r\n\r\n`,
      404,
      piece,
      'unknown_route',
    ],
    ['headers above the limit', `${post}x: `, 431, piece, 'headers_too_large'],
    ['what is no HTTP', 'nonsense\r\n', 400, piece, 'malformed_http'],
  ])('%s', async (_what, head, status, part, code) => {
    const { port } = await api();
    const client = new SlowWriter(port);
    const count = size / piece.length;
    expect(await client.write([head, ...Array.from({ length: count }, () => part)])).toBe(count + 1);
    const text = await client.read();
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
    expect(text).toMatch(/^connection: close\r$/im);
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({ code });
  });

  it('before it writes, where it asks first', async () => {
    const { port } = await api();
    const asking = post.replace('\r\n', '\r\nexpect: 100-continue\r\n');
    const client = new SlowWriter(port);
    await client.write([`${asking}content-length: ${String(size)}\r\n\r\n`]);
    expect(await client.read()).toMatch(/^HTTP\/1.1 413 /);
    const other = new SlowWriter(port);
    await other.write([`${asking}connection: close\r\ncontent-length: 2\r\n\r\n{}`]);
    expect(await other.read()).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 400 /);
  });

  it('over TLS', async () => {
    const { port } = await api({ key: serverKey, cert: serverCertificate });
    const client = new SlowWriter(port, true);
    const count = size / piece.length;
    expect(await client.write(pieces(`${post}content-length: ${String(size)}\r\n\r\n`, count))).toBe(count + 1);
    // The server leaves it to the client to end the connection.
    client.socket.end();
    expect(await client.read()).toMatch(/^HTTP\/1.1 413 /);
  });

  it('of a callback', async () => {
    const { port } = await api();
    const client = new SlowWriter(port);
    const path = '/workflows/00000000-0000-7000-8000-000000000000/node/a/callback';
    await client.write(
      pieces(
        `POST ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${String(size)}\r\n\r\n`,
        size / piece.length,
      ),
    );
    expect(await client.read()).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('while a connection lingers', () => {
  it('nothing on it is a request any more', async () => {
    const { fixture, port } = await api();
    const client = new SlowWriter(port);
    const hidden = `${post}content-length: 2\r\n\r\n{}`;
    await client.write([
      `${post}content-length: ${String(size)}\r\n\r\n`,
      piece,
      ...pieces('', size / piece.length - 1),
      hidden,
    ]);
    const text = await client.read();
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413']);
    expect((await fixture.server.inject('/workflows')).json()).toEqual([]);
  });

  it('the server can stop', async () => {
    const { fixture, port } = await api();
    const client = new SlowWriter(port);
    await client.write(pieces(`${post}content-length: ${String(size)}\r\n\r\n`, 2));
    await fixture.server.close();
    await client.write(pieces('', 8));
    await expect(client.read()).rejects.toThrow(/ECONNRESET|EPIPE/);
  });
});

describe('the bounds', () => {
  async function serverWith(bounds: ConstructorParameters<typeof LingeringCloses>[0]): Promise<number> {
    const closes = new LingeringCloses(bounds);
    const answer: RequestListener = (request, response) => {
      closes.expect(request);
      response.writeHead(413, { connection: 'close' }).end('too large');
    };
    const server: Server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return (server.address() as AddressInfo).port;
  }
  const head = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${String(2 ** 40)}\r\n\r\n`;

  it('end a connection after so many bytes', async () => {
    const client = new SlowWriter(await serverWith({ maxBytes: 4 * kibibyte * kibibyte, maxMillis: 30_000 }));
    const written = await client.write(pieces(head, 4096));
    // The system buffers some more bytes than the server reads.
    expect(written).toBeLessThan(1024);
    await expect(client.read()).rejects.toThrow(/ECONNRESET|EPIPE/);
  });

  it('end a connection after so much time', async () => {
    const client = new SlowWriter(await serverWith({ maxBytes: 2 ** 40, maxMillis: 50 }));
    await client.write(pieces(head, 1));
    expect(await client.read()).toMatch(/^HTTP\/1.1 413 /);
    // The server closes the connection although the client has not ended its side.
    const closed = Promise.withResolvers<void>();
    client.socket.on('close', closed.resolve);
    const writing = setInterval(() => client.socket.write('x'), 5);
    await closed.promise;
    clearInterval(writing);
  });
});
