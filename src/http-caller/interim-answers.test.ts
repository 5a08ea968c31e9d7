import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, requestTo, respond } from '../../test/local-servers.ts';

const going = 'HTTP/1.1 100 Continue\r\n\r\n';
const body = `{"text":"${going.replaceAll('\r\n', '')}"}`;
const final = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

/** A server that answers the n-th request of a connection (from 0) by `answer`. */
async function serverThat(
  answer: (socket: Socket, nth: number) => void,
): Promise<{ url: string; connections: number }> {
  const state = { url: '', connections: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    state.connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    let nth = 0;
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      if (!seen.endsWith('!')) return;
      seen = '';
      answer(socket, nth++);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  state.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return state;
}

const post = { verb: 'POST', body: 'go!' };

describe('interim answers before the final one', () => {
  it.each([
    ['none', ''],
    ['100', going],
    ['100, three times', going.repeat(3)],
    ['100 with fields', 'HTTP/1.1 100 Continue\r\nx-a: b\r\n\r\n'],
    ['100 of an old version, without a phrase', 'HTTP/1.0 100 \r\n\r\n'],
    ['102 and 103', 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
    ['103 between two 100', `${going}HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${going}`],
  ])('are skipped: %s', async (_what, interim) => {
    const server = await serverThat((socket) => socket.write(interim + final));
    const caller = callerWith();
    for (let i = 0; i < 5; i++) {
      expect(await respond(caller, requestTo(server.url, post))).toMatchObject({ status: 200, body });
    }
    // None was given up.
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it('are skipped wherever they are cut', async () => {
    const text = going + going + final;
    const server = await serverThat((socket, nth) => {
      socket.setNoDelay(true);
      socket.write(text.slice(0, nth + 1));
      setTimeout(() => socket.write(text.slice(nth + 1)), 2);
    });
    const caller = callerWith();
    for (let at = 0; at < going.length * 2 + 20; at++) {
      expect(await respond(caller, requestTo(server.url, post))).toMatchObject({ status: 200, body });
    }
    // None was given up.
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it('are none in a body, also where a part of it begins like one', async () => {
    const part = `${going}and more`;
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${String(part.length * 2)}\r\n\r\n`;
    const server = await serverThat((socket) => {
      socket.setNoDelay(true);
      socket.write(head);
      setTimeout(() => socket.write(part), 2);
      setTimeout(() => socket.write(part), 6);
    });
    expect((await respond(callerWith(), requestTo(server.url, post))).body).toBe(part + part);
  });
});
