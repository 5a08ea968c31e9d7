import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';
import { RequestGuard, type GuardRefusal } from './request-guard.ts';

let api: ApiFixture;
let rejections: string[];
const metrics = () => Promise.resolve({ contentType: 'text/plain', text: 'a 1\n' });
const own = { allowedHosts: ['localhost', '127.0.0.1', '[::1]', 'Trama.Example', 'other.example:8443'] };
const hostsShown = 'the hosts of server.allowedHosts';

async function open(options: ConstructorParameters<typeof ApiFixture>[0]): Promise<void> {
  api = await new ApiFixture({ metrics, onRejected: (reason) => void rejections.push(reason), ...options }).open();
}
beforeEach(() => {
  rejections = [];
});
afterEach(() => api.close());

const ask = async (headers: Record<string, string>, url = '/workflows') => {
  const answer = await api.server.inject({ url, headers });
  return answer.statusCode === 403 ? `403 ${answer.json<{ code: string }>().code}` : answer.statusCode;
};

describe('a server for its own machine', () => {
  beforeEach(() => open({ guard: { ...own, hostsShown, refusesProxies: true } }));

  it('remembers no host that passed by its address only', () => {
    const guard = new RequestGuard({ ...own, hostsShown, refusesProxies: false });
    const reasonFor = (headers: Record<string, string>, byAddress = false): string | undefined =>
      guard.refusalOf({ headers, httpVersion: '1.1' }, byAddress)?.reason;
    expect(reasonFor({ host: '10.0.0.1' }, true)).toBeUndefined();
    expect(reasonFor({ host: '10.0.0.1' })).toBe('host');
    expect(reasonFor({ host: 'LOCALHOST:1' })).toBeUndefined();
    expect(reasonFor({ host: 'LOCALHOST:1' })).toBeUndefined();
    expect(reasonFor({ host: 'LOCALHOST:1', origin: 'http://evil.example' })).toBe('origin');
    expect(reasonFor({ host: 'LOCALHOST:1', 'sec-fetch-site': 'cross-site' })).toBe('origin');
    expect(reasonFor({ host: 'evil.example' })).toBe('host');
  });

  it.each([
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1:1',
    '[::1]',
    '[::1]:8080',
    'trama.example',
    'TRAMA.example:443',
    'other.example:8443',
  ])('lets %s pass', async (host) => {
    expect(await ask({ host })).toBe(200);
    expect(rejections).toEqual([]);
  });

  it.each<[GuardRefusal['reason'], string, Record<string, string>]>([
    ['host', 'another name', { host: 'evil.example' }],
    ['host', 'a name that begins alike', { host: 'localhost.evil.example' }],
    ['host', 'a name that ends alike', { host: 'evil.trama.example' }],
    ['host', 'a name with a dot at its end', { host: 'localhost.' }],
    ['host', 'another loopback address', { host: '127.0.0.2' }],
    ['host', 'another spelling of the address', { host: '2130706433' }],
    ['host', 'an address of the network', { host: '10.1.2.3:8080' }],
    ['host', 'a host with another port than it is allowed with', { host: 'other.example:80' }],
    ['host', 'a host with user information', { host: 'a@localhost' }],
    ['host', 'a host with something behind it', { host: 'localhost:80:80' }],
    ['proxy', 'a proxy', { 'x-forwarded-for': '10.0.0.1' }],
    ['proxy', 'any forwarding header', { 'x-forwarded-anything': '' }],
    ['proxy', 'a standard proxy', { forwarded: 'for=10.0.0.1' }],
    ['proxy', 'a proxy that names itself', { via: '1.1 cache' }],
    ['proxy', 'a proxy that says who asks', { 'x-real-ip': '10.0.0.1' }],
    ['proxy', 'another that says it', { 'true-client-ip': '10.0.0.1' }],
    ['proxy', 'Cloudflare', { 'cf-connecting-ip': '10.0.0.1' }],
    ['proxy', 'Envoy', { 'x-envoy-external-address': '10.0.0.1' }],
    ['proxy', 'a content delivery network', { 'cdn-loop': 'a' }],
    ['proxy', 'a proxy that rewrites paths', { 'x-original-url': '/admin' }],
    ['origin', 'a page of elsewhere', { origin: 'https://evil.example' }],
    ['origin', 'a page of nowhere', { origin: 'null' }],
    ['origin', 'a page of another port of this machine', { host: 'localhost:8080', origin: 'http://localhost:3000' }],
    ['origin', 'a page of this machine by another name', { host: 'localhost:8080', origin: 'http://127.0.0.1:8080' }],
    ['origin', 'a page whose port is that of its scheme', { host: 'localhost:8080', origin: 'http://localhost' }],
    ['origin', 'two origins', { origin: 'http://evil.example, http://localhost' }],
    ['origin', 'a page of an extension', { origin: 'chrome-extension://localhost' }],
    ['origin', 'an image on a page of elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
    ['origin', 'a script of another port of this machine', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }],
    [
      'origin',
      'a frame on a page of elsewhere',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    ],
  ])('refuses by its %s: %s', async (reason, _case, headers) => {
    const urls = ['/workflows', '/openapi.json', '/metrics', '/nothing'];
    for (const url of urls) expect(await ask({ host: 'localhost', ...headers }, url)).toBe('403 loopback_only');
    expect(rejections).toEqual(urls.map(() => reason));
  });

  it('leaves health alone, and callbacks to their token', async () => {
    const headers = { host: '10.1.2.3:8080', via: '1.1 a', origin: 'https://evil.example' };
    expect(await ask(headers, '/healthz')).toBe(200);
    expect(await ask(headers, '/readyz')).toBe(200);
    const url = '/workflows/00000000-0000-7000-8000-000000000000/node/a/callback';
    expect((await api.server.inject({ method: 'POST', url, headers })).json()).toMatchObject({
      code: 'callback_malformed',
    });
    expect(rejections).toEqual([]);
  });

  it.each<[string, Record<string, string>]>([
    ['pages of its own', { host: 'localhost:8080', origin: 'http://localhost:8080' }],
    ['pages of its own, whatever the case', { host: 'LocalHost:8080', origin: 'http://localhost:8080' }],
    ['pages of its own at the port of their scheme', { host: 'trama.example', origin: 'https://trama.example' }],
    ['the same with the port written out', { host: 'trama.example:443', origin: 'https://trama.example' }],
    ['what its own pages fetch', { host: 'localhost', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }],
    ['what is typed into a browser', { host: 'localhost', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }],
    [
      'a link from another page',
      { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ],
  ])('answers %s', async (_what, headers) => {
    expect(await ask(headers)).toBe(200);
  });
});

describe('a server of a network whose operator lets everybody in', () => {
  beforeEach(() => open({ guard: { ...own, hostsShown, refusesProxies: false } }));

  it('answers under its hosts only, and no pages of others', async () => {
    expect(await ask({ host: 'trama.example' })).toBe(200);
    for (const host of ['evil.example', '10.1.2.3', 'localhost.'])
      expect(await ask({ host })).toBe('403 loopback_only');
    expect(await ask({ host: 'trama.example', origin: 'https://evil.example' })).toBe('403 loopback_only');
  });

  it('answers what came through the proxy that asks for credentials in its place', async () => {
    expect(await ask({ host: 'trama.example', 'x-forwarded-for': '10.0.0.1', via: '1.1 a' })).toBe(200);
  });

  it('shows metrics to those who find it by its address, and to no name', async () => {
    for (const host of ['10.1.2.3:8080', '[2001:db8::1]:8080']) expect(await ask({ host }, '/metrics')).toBe(200);
    for (const host of ['evil.example', '10.1.2.3.evil.example']) {
      expect(await ask({ host }, '/metrics')).toBe('403 loopback_only');
    }
  });
});

it('a server that asks for credentials guards nothing besides', async () => {
  await open({ guard: undefined, authenticator: authenticatorOf({ ops: ['admin'] }) });
  const headers = { host: 'evil.example', via: '1.1 a', 'x-api-key': apiKeyOf('ops') };
  expect(await ask(headers)).toBe(200);
  expect(await ask({ host: 'evil.example' })).toBe(401);
});

it('a request of HTTP/1.0 has come through a proxy that says nothing of itself', async () => {
  await open({});
  const guard = new RequestGuard({ ...own, hostsShown, refusesProxies: true });
  const request = { headers: { host: 'localhost' }, httpVersion: '1.0' };
  expect(guard.refusalOf(request)?.reason).toBe('proxy');
  expect(guard.refusalOf({ ...request, httpVersion: '1.1' })).toBeUndefined();
  for (const headers of [{}, { host: '' }])
    expect(guard.refusalOf({ headers, httpVersion: '1.1' })?.reason).toBe('host');
  expect(new RequestGuard({ ...own, hostsShown, refusesProxies: false }).refusalOf(request)).toBeUndefined();
});

describe('a process that serves no API', () => {
  const open_ = ['/healthz', '/readyz', '/metrics'];

  it('answers for its health and with metrics, and has nothing else', async () => {
    await open({ servesApi: false });
    for (const url of open_) expect(await ask({ host: 'localhost' }, url)).toBe(200);
    for (const url of [
      '/workflows',
      '/sagas',
      '/cluster',
      '/holds',
      '/audit',
      '/openapi.json',
      '/schema/definition.json',
    ]) {
      expect(await ask({ host: 'localhost' }, url)).toBe(404);
    }
    for (const url of ['/workflows/run', '/workflows/00000000-0000-7000-8000-000000000000/node/a/callback']) {
      expect((await api.server.inject({ method: 'POST', url, payload: {} })).statusCode).toBe(404);
    }
  });

  it('asks for credentials where metrics are not public', async () => {
    await open({
      servesApi: false,
      guard: undefined,
      authenticator: authenticatorOf({ ops: ['viewer'] }),
      isMetricsPublic: false,
    });
    expect(await ask({}, '/metrics')).toBe(401);
    expect(await ask({ 'x-api-key': apiKeyOf('ops') }, '/metrics')).toBe(200);
    expect(await ask({}, '/workflows')).toBe(401);
    expect(await ask({ 'x-api-key': apiKeyOf('ops') }, '/workflows')).toBe(404);
  });
});
