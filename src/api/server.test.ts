import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

describe('every answer', () => {
  it('has an id and is safe in a browser', async () => {
    const answer = await api.server.inject('/workflows');
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    expect(answer.headers['x-request-id']).toMatch(/^[\w-]+$/);
  });

  it('takes the id of the client where it is harmless', async () => {
    const idOf = async (given: string) =>
      (await api.server.inject({ url: '/healthz', headers: { 'x-request-id': given } })).headers['x-request-id'];
    expect(await idOf('abc-1')).toBe('abc-1');
    expect(await idOf('a b')).not.toBe('a b');
  });
});

describe('health', () => {
  it('says ok and ready', async () => {
    expect((await api.server.inject('/healthz')).body).toBe('ok');
    expect((await api.server.inject('/readyz')).body).toBe('ready');
    expect((await api.server.inject({ method: 'HEAD', url: '/readyz' })).statusCode).toBe(200);
  });

  it('gives the reasons', async () => {
    await api.close();
    api = await new ApiFixture({
      health: {
        live: () => ['The claim loop has made no progress for 130 s.'],
        ready: (scope) => (scope === 'api' ? [] : ['consumer_stalled']),
      },
    }).open();
    const ready = await api.server.inject('/readyz');
    expect([ready.statusCode, ready.json()]).toMatchObject([503, { code: 'not_ready', reasons: ['consumer_stalled'] }]);
    expect((await api.server.inject('/readyz?scope=api')).body).toBe('ready');
    const live = await api.server.inject('/healthz');
    expect([live.statusCode, live.json().errors]).toEqual([503, ['The claim loop has made no progress for 130 s.']]);
  });
});

describe('metrics', () => {
  it('are there when they are on', async () => {
    expect((await api.server.inject('/metrics')).statusCode).toBe(404);
    await api.close();
    api = await new ApiFixture({
      metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'a 1\n' }),
    }).open();
    const answer = await api.server.inject('/metrics');
    expect([answer.headers['content-type'], answer.body]).toEqual(['text/plain; version=0.0.4', 'a 1\n']);
  });

  it('are told of every answer', async () => {
    await api.close();
    const seen: unknown[] = [];
    api = await new ApiFixture({ observe: (method, route, status) => void seen.push([method, route, status]) }).open();
    await api.server.inject('/workflows/00000000-0000-7000-8000-000000000000');
    await api.server.inject('/nothing');
    expect(seen).toEqual([
      ['GET', '/workflows/:id', 404],
      ['GET', '', 404],
    ]);
  });
});

describe('the store away', () => {
  it('is 503, without a word of where it is', async () => {
    api.breakStore();
    for (const url of ['/workflows', '/workflows/00000000-0000-7000-8000-000000000000', '/workflows/definitions/a/1']) {
      const answer = await api.server.inject(url);
      expect([answer.statusCode, answer.headers['retry-after'], answer.json().errors]).toEqual([
        503,
        '1',
        ['The store cannot answer now.'],
      ]);
    }
  });
});

describe('what is not even HTTP', () => {
  it('is answered with the error model', async () => {
    await api.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.server.server.address() as AddressInfo;
    const say = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        let heard = '';
        socket.on('data', (data) => (heard += data.toString()));
        socket.on('close', () => resolve(heard)).on('error', reject);
      });
    const nonsense = await say('nonsense\r\n\r\n');
    expect(nonsense).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(nonsense.split('\r\n\r\n')[1]!)).toMatchObject({ code: 'malformed_http' });
    const long = await say(`GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('closing', () => {
  it('does not wait for idle connections', async () => {
    await api.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.server.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${String(port)}/healthz`);
    expect(await answer.text()).toBe('ok');
    const began = performance.now();
    await api.server.close();
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('ends waits, and refuses what still comes', async () => {
    await api.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.server.server.address() as AddressInfo;
    const definition = {
      name: 'a',
      version: '1',
      steps: [{ name: 'a', up: { url: 'http://a.example/', verb: 'GET' } }],
    };
    const waiting = fetch(`http://127.0.0.1:${String(port)}/workflows/run?waitMillis=60000`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ definition }),
    });
    while ((await api.store.listExecutions({}, { limit: 1 })).items.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // An open connection may bring another request.
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closed = api.server.close();
    socket.write('\r\n');
    const late = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    expect(late).toMatch(/^HTTP\/1\.1 503 /);
    expect(late).toContain('"code":"shutting_down"');
    expect(await (await waiting).json()).toMatchObject({ status: 'IN_PROGRESS' });
    await closed;
  });
});
