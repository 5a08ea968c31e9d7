/** A proxy in front of the server, with a path prefix that it removes or keeps, and whose answers a test may change. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Options of the proxy. */
export interface ProxyOptions {
  readonly target: string;
  readonly prefix?: string;
  /** Whether the server gets paths without the prefix. */
  readonly strips?: boolean;
  /** Changes the JSON text of an answer. */
  readonly change?: (text: string) => string;
}

/** A proxy under way. */
export interface Proxy {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a proxy that adds no header of its own: it stands for a program of this machine. */
export async function startProxy({ target, prefix = '', strips = true, change }: ProxyOptions): Promise<Proxy> {
  const server = createServer((incoming, outgoing) => {
    const url = incoming.url ?? '/';
    if (!url.startsWith(prefix)) {
      outgoing.writeHead(404).end('Outside of the prefix.');
      return;
    }
    const path = strips ? url.slice(prefix.length) || '/' : url;
    const { 'accept-encoding': _coding, ...headers } = incoming.headers;
    const passed = change === undefined ? incoming.headers : headers;
    const forwarded = request(
      new URL(path, target),
      { method: incoming.method ?? 'GET', headers: passed },
      (answer) => {
        const isChanged = change !== undefined && (answer.headers['content-type'] ?? '').includes('application/json');
        if (!isChanged) {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
          return;
        }
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          const { 'content-length': _length, ...kept } = answer.headers;
          outgoing.writeHead(answer.statusCode ?? 502, kept).end(change(text));
        });
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}${prefix}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
