import { afterEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../test/credentials.ts';

let api: ApiFixture;
afterEach(() => api.close());

async function openBehind(...trustedProxies: readonly string[]): Promise<void> {
  api = await new ApiFixture({
    authenticator: authenticatorOf({ ops: ['admin'] }, { failuresPerMinute: 3 }),
    guard: undefined,
    trustedProxies,
  }).open();
}

async function ask(forwardedFor: string, key = 'guess', remoteAddress = '10.0.0.1'): Promise<number> {
  const headers = { 'x-api-key': key, 'x-forwarded-for': forwardedFor };
  return (await api.server.inject({ url: '/workflows', headers, remoteAddress })).statusCode;
}

describe('wrong credentials behind a proxy count against', () => {
  it.each<[string, (n: number) => string]>([
    ['one address, whatever port the proxy writes behind it', (n) => `203.0.113.9:${String(50_000 + n)}`],
    ['one IPv6 network, in brackets with a port', (n) => `[2001:db8::${n.toString(16)}]:${String(50_000 + n)}`],
    ['the proxy, where it names no address', (n) => `made-up-${String(n)}`],
    ['the proxy, where it says that it does not know', () => 'unknown'],
    [
      'the nearest proxy that is known, where that one names no address',
      (n) => `made-up-${String(n)}, 10.0.0.2:1${String(n)}`,
    ],
    ['the last address, whatever the caller wrote before it', (n) => `198.51.100.${String(n)}, 203.0.113.9`],
  ])('%s', async (_what, forwardedFor) => {
    await openBehind('10.0.0.0/8');
    const statuses = [];
    for (let n = 0; n < 6; n++) statuses.push(await ask(forwardedFor(n)));
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
    // The limit does not affect other callers behind the same proxy.
    expect(await ask('203.0.113.200')).toBe(401);
    expect(await ask(forwardedFor(7), apiKeyOf('ops'))).toBe(200);
  });

  it('the connection, unless it is a trusted proxy', async () => {
    await openBehind();
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push(await ask(`203.0.113.${String(n)}`));
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
  });
});

it('an address in the audit log has no port', async () => {
  await openBehind('10.0.0.1');
  const headers = { 'x-api-key': apiKeyOf('ops'), 'x-forwarded-for': '203.0.113.9:51234' };
  const payload = { host: 'bank.example', reason: 'down' };
  const put = await api.server.inject({ method: 'PUT', url: '/holds/a', headers, payload, remoteAddress: '10.0.0.1' });
  expect(put.statusCode).toBeLessThan(300);
  const { items } = await api.store.listAudit({}, { limit: 10 });
  expect(items.map(({ address }) => address)).toEqual(['203.0.113.9']);
});
