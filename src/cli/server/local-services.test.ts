import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { compileDefinition } from '../../core/definition/compile.ts';
import { Definitions } from '../../scenario/definitions.ts';
import { defaultStart } from '../../scenario/scenario.ts';
import { SampleServices } from '../demo/services.ts';
import { localGuard, mayBeCalledBack } from './local-services.ts';
import { MockServer } from '../mock/mock-server.ts';

/** Sends a request with any headers, Host included. */
async function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const asked = request(url, { method, headers });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) text += part;
  return { status: response.statusCode, text };
}

const refused: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['a page whose name resolves to this machine', { host: 'evil.example' }],
  ['a page of elsewhere', { origin: 'https://evil.example' }],
  ['an image on a page of elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ['a proxy', { via: '1.1 cache' }],
];

/** Something of this machine that may be called back; tells the paths that were. */
async function startCalled(status = 202): Promise<{ readonly url: string; readonly paths: string[] }> {
  const paths: string[] = [];
  const called = createServer((incoming, response) => {
    paths.push(incoming.url ?? '');
    response.writeHead(status, { location: '/elsewhere' }).end();
  });
  called.listen(0, '127.0.0.1');
  await once(called, 'listening');
  onTestFinished(() => {
    called.close();
    called.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${String((called.address() as AddressInfo).port)}`, paths };
}

it.each<[string, string | undefined, boolean]>([
  ['http://127.0.0.1:8080/a', undefined, true],
  ['http://localhost/a', undefined, true],
  ['http://[::1]:8080/a', undefined, true],
  ['http://127.1/a', undefined, true],
  ['http://trama.example/a', undefined, false],
  ['http://localhost.evil.example/a', undefined, false],
  ['http://127.0.0.1@evil.example/a', undefined, false],
  ['http://169.254.169.254/latest/meta-data', undefined, false],
  ['http://0.0.0.0:8080/a', undefined, false],
  ['file:///etc/passwd', undefined, false],
  ['nothing', undefined, false],
  ['https://trama.example/flows/a', 'https://trama.example', true],
  ['https://trama.example:8443/a', 'https://trama.example', false],
  ['http://trama.example/a', 'https://trama.example', false],
  ['https://trama.example.evil.example/a', 'https://trama.example', false],
])('%s, beside %s, may be called back: %s', (url, server, may) => {
  expect(mayBeCalledBack(url, server)).toBe(may);
});

describe('the sample services', () => {
  let services: SampleServices;
  let url: string;
  beforeEach(async () => {
    services = new SampleServices();
    url = await services.listen(0);
  });
  afterEach(() => services.close());

  it.each(refused)('do nothing for %s', async (_what, headers) => {
    for (const [method, path] of [
      ['GET', '/'],
      ['PUT', '/payments/A-1'],
      ['DELETE', '/payments/A-1'],
    ] as const) {
      const { status, text } = await send(url + path, method, headers, method === 'PUT' ? '{}' : '');
      expect([status, text]).toEqual([403, expect.stringContaining('This server asks for no credentials')]);
    }
    expect(services.standing('A-1')).toEqual([]);
    expect((await send(`${url}/payments/A-1`, 'PUT', {}, '{}')).status).toBe(200);
  });

  it('answer to no host but this machine, and follow no redirect from there', async () => {
    const ask = (answerTo: string) => send(`${url}/approvals/A-1`, 'PUT', {}, JSON.stringify({ answerTo }));
    expect((await ask('http://169.254.169.254/latest')).status).toBe(422);
    expect(services.standing('A-1')).toEqual([]);
    const called = await startCalled(307);
    expect((await ask(`${called.url}/answer`)).status).toBe(202);
    await expect.poll(() => called.paths).toEqual(['/answer']);
    // The next decision comes after whatever would have followed the redirect.
    expect((await ask(`${called.url}/another`)).status).toBe(202);
    await expect.poll(() => called.paths).toEqual(['/answer', '/another']);
  });
});

describe('a mock', () => {
  const definition = {
    name: 'ask',
    version: '1',
    entrypoint: 'ask',
    nodes: [
      {
        kind: 'task',
        id: 'ask',
        action: {
          mode: 'async',
          request: { url: '{{vars.BASE}}/ask', verb: 'POST', body: {} },
          callback: { timeoutMillis: 1000 },
        },
      },
    ],
  };
  const lines: string[] = [];
  let mock: MockServer | undefined;
  afterEach(async () => {
    await mock?.close();
    lines.length = 0;
  });

  async function start(hosts: readonly string[] = [], server?: string): Promise<string> {
    const compiled = compileDefinition(definition, { hash: '' });
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    mock = new MockServer({
      definitions: new Definitions(compiled.plan),
      scenario: { startedAt: defaultStart, payload: {}, labels: {}, vars: {}, answers: new Map(), actions: [] },
      latencyMillis: [0, 0],
      failureRatio: 0,
      failureStatus: 503,
      callbackDelayMillis: 0,
      random: () => 0,
      guard: localGuard({ hosts, setting: '--allow-host' }),
      server,
      report: (line) => void lines.push(line),
    });
    return mock.listen(0);
  }
  const callbackOf = (base: string): string => `${base}/workflows/0190a5a0/node/ask/callback/trc1.a.b.c`;

  it.each(refused)('answers nothing to %s', async (_what, headers) => {
    const url = await start();
    const { status, text } = await send(`${url}/ask`, 'POST', headers, '{}');
    expect([status, text]).toEqual([403, expect.stringContaining('This server asks for no credentials')]);
    expect(lines).toEqual([expect.stringContaining('POST /ask -> 403')]);
  });

  it('answers under another host once it is told to', async () => {
    const url = await start(['host.docker.internal']);
    expect((await send(`${url}/ask`, 'POST', { host: 'host.docker.internal:9090' }, '{}')).status).toBe(202);
    const other = await send(`${url}/ask`, 'POST', { host: 'evil.example' }, '{}');
    expect([other.status, other.text]).toEqual([403, expect.stringContaining('the hosts of --allow-host')]);
  });

  it('calls back this machine, and no host that a request names', async () => {
    const called = await startCalled();
    const url = await start();
    await send(`${url}/ask`, 'POST', {}, JSON.stringify({ to: callbackOf('http://10.255.255.1:8080') }));
    expect(lines.join('\n')).toContain('does not call back http://10.255.255.1:8080');
    await send(`${url}/ask`, 'POST', {}, JSON.stringify({ to: callbackOf(called.url) }));
    await expect.poll(() => called.paths).toEqual([callbackOf('')]);
    expect(lines.filter((line) => line.includes('calls back'))).toHaveLength(1);
  });
});
