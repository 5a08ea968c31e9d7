/** Servers that ask for no credentials, reached by clients that must not get in: pages, proxies, speakers of another dialect of HTTP. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';

/** Sends bytes over a connection of their own; resolves to the whole answer once the server has closed it. */
function say(url: string, lines: readonly string[], body = ''): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`));
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
    socket.on('close', () => resolve(heard)).on('error', reject);
  });
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1]);
const codeOf = (answer: string): string | undefined => /"code":"(\w+)"/.exec(answer)?.[1];

/** A GET with these lines besides the first, which closes its connection. */
const get = (url: string, path: string, lines: readonly string[], version = '1.1'): Promise<string> =>
  say(url, [`GET ${path} HTTP/${version}`, ...lines, 'Connection: close']);

describe('a server on loopback', () => {
  const arena = new Arena();
  beforeAll(() => arena.open());
  afterAll(() => arena.close());

  it.each<[string, readonly string[]]>([
    ['under a name that was made to resolve to it', ['Host: evil.example']],
    ['under such a name with its port', ['Host: evil.example:8080']],
    ['under an address of the network', ['Host: 10.1.2.3']],
    ['under two hosts, the first of which is wrong', ['Host: evil.example', 'Host: localhost']],
    ['through a proxy that says so', ['Host: localhost', 'Via: 1.1 cache']],
    ['through one that says who asks', ['Host: localhost', 'X-Real-IP: 203.0.113.9']],
    ['through one in odd letters', ['Host: localhost', 'x-FORWARDED-for: 203.0.113.9']],
    ['from a page', ['Host: localhost', 'Origin: https://evil.example']],
    ['from a page of another port', ['Host: localhost:1', 'Origin: http://localhost:2']],
    ['from a page of two origins', ['Host: localhost', 'Origin: http://localhost', 'Origin: http://evil.example']],
    ['from an image on a page', ['Host: localhost', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors']],
  ])('refuses %s', async (_how, lines) => {
    for (const path of ['/workflows', '/cluster', '/metrics', '/nothing']) {
      const answer = await get(arena.url, path, lines);
      expect([path, statusOf(answer), codeOf(answer)]).toEqual([path, 403, 'loopback_only']);
    }
    expect(statusOf(await get(arena.url, '/healthz', lines))).toBe(200);
  });

  it('refuses HTTP/1.0, which proxies speak that say nothing of themselves, and answers it about its health', async () => {
    expect(codeOf(await get(arena.url, '/workflows', ['Host: localhost'], '1.0'))).toBe('loopback_only');
    expect(codeOf(await get(arena.url, '/workflows', [], '1.0'))).toBe('loopback_only');
    expect(statusOf(await get(arena.url, '/healthz', [], '1.0'))).toBe(200);
  });

  it('starts no run for a page, however its request comes', async () => {
    const definition = {
      name: 'a',
      version: '1',
      steps: [{ name: 'a', up: { url: 'http://127.0.0.1:1/', verb: 'GET' } }],
    };
    const body = JSON.stringify({ definition });
    const length = `Content-Length: ${String(Buffer.byteLength(body))}`;
    for (const lines of [
      ['Host: evil.example', 'Content-Type: application/json'],
      ['Host: localhost', 'Content-Type: application/json', 'Origin: https://evil.example'],
      ['Host: localhost', 'Content-Type: text/plain', 'Origin: https://evil.example'],
    ]) {
      const answer = await say(
        arena.url,
        ['POST /workflows/run HTTP/1.1', ...lines, length, 'Connection: close'],
        body,
      );
      expect(codeOf(answer)).toBe('loopback_only');
    }
    expect((await arena.send('GET', '/workflows')).body).toEqual([]);
  });

  it('goes on while pages ask again and again, and counts them', async () => {
    await arena.survives(async () => {
      for (let round = 0; round < 10; round++) {
        const headers = { origin: `https://evil-${String(round)}.example` };
        await Promise.all(Array.from({ length: 50 }, () => arena.send('GET', '/workflows', undefined, headers)));
      }
    });
    const { body } = await arena.send('GET', '/metrics');
    const count = /saga_auth_rejected_total\{reason="origin"\} (\d+)/.exec(String(body))?.[1];
    expect(Number(count)).toBeGreaterThanOrEqual(500);
  });
});

describe('a server of a network whose operator lets everybody in', () => {
  const arena = new Arena({
    HOST: '0.0.0.0',
    SECURITY_ALLOWUNAUTHENTICATED: 'true',
    RUNTIME_CALLBACK_BASEURL: 'https://trama.example',
  });
  beforeAll(() => arena.open());
  afterAll(() => arena.close());
  const ask = async (path: string, ...lines: readonly string[]): Promise<number> =>
    statusOf(await get(arena.url.replace('localhost', '127.0.0.1'), path, lines));

  it('answers under its own hosts, and under no name that anybody makes up', async () => {
    for (const host of ['localhost', '127.0.0.1:80', 'trama.example'])
      expect(await ask('/workflows', `Host: ${host}`)).toBe(200);
    for (const host of ['evil.example', 'trama.example.evil.example', '10.1.2.3']) {
      expect(await ask('/workflows', `Host: ${host}`)).toBe(403);
    }
    expect(await ask('/workflows', 'Host: trama.example', 'Origin: https://evil.example')).toBe(403);
    expect(await ask('/workflows', 'Host: trama.example', 'X-Forwarded-For: 203.0.113.9')).toBe(200);
  });

  it('answers probes and scrapes by its address', async () => {
    for (const path of ['/healthz', '/readyz?scope=api', '/metrics'])
      expect(await ask(path, 'Host: 10.1.2.3:8080')).toBe(200);
    expect(await ask('/metrics', 'Host: evil.example')).toBe(403);
  });
});

describe('a server with as many API keys as there may be', () => {
  const keyOf = (n: number): string => `trama_key-${String(n)}`;
  const arena = new Arena({
    SECURITY_AUTH_APIKEYS: JSON.stringify(
      Array.from({ length: 1000 }, (_, n) => ({
        id: `key-${String(n)}`,
        sha256: createHash('sha256').update(keyOf(n)).digest('hex'),
        roles: ['viewer'],
      })),
    ),
    SERVER_TRUSTEDPROXIES: '127.0.0.1',
  });
  beforeAll(() => arena.open());
  afterAll(() => arena.close());
  const ask = async (key: string, from: string): Promise<number> =>
    (await arena.send('GET', '/workflows', undefined, { 'x-api-key': key, 'x-forwarded-for': from })).status;

  it.each<[string, (n: number) => string]>([
    ['of one address', () => '203.0.113.9'],
    ['of one address with ever new ports', (n) => `203.0.113.10:${String(1024 + n)}`],
    ['of made-up addresses', (n) => `made-up-${String(n)}`],
  ])('lets every right key in beside a flood of guesses %s', async (_what, from) => {
    await arena.survives(async () => {
      const counts = new Map<number, number>();
      for (let round = 0; round < 10; round++) {
        const guesses = Array.from({ length: 50 }, (_, n) => ask(`guess-${String(n)}`, from(50 * round + n)));
        const right = ask(keyOf(99 * round), from(0));
        for (const status of await Promise.all(guesses)) counts.set(status, (counts.get(status) ?? 0) + 1);
        expect(await right).toBe(200);
      }
      // Thirty a minute are looked at, and some more while the test takes.
      expect(new Set(counts.keys())).toEqual(new Set([401, 429]));
      expect(counts.get(401)).toBeLessThan(100);
    });
  });
});

describe('a process without the API', () => {
  const arena = new Arena({ HOST: '0.0.0.0', SERVER_API: 'false' });
  beforeAll(() => arena.open());
  afterAll(() => arena.close());

  it('listens to a network without credentials, and has nothing but health and metrics', async () => {
    const url = arena.url.replace('localhost', '127.0.0.1');
    const of = async (method: string, path: string): Promise<number> => {
      const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Content-Length: 0', 'Connection: close'];
      return statusOf(await say(url, lines));
    };
    for (const path of ['/healthz', '/readyz', '/metrics']) expect([path, await of('GET', path)]).toEqual([path, 200]);
    const id = '00000000-0000-7000-8000-000000000000';
    for (const [method, path] of [
      ['GET', '/workflows'],
      ['POST', '/workflows/run'],
      ['POST', `/sagas/${id}/cancel`],
      ['POST', `/workflows/${id}/node/a/callback`],
      ['GET', '/cluster'],
      ['PUT', '/holds/a'],
      ['GET', '/audit'],
      ['GET', '/openapi.json'],
    ] as const) {
      expect([path, await of(method, path)]).toEqual([path, 404]);
    }
  });
});
