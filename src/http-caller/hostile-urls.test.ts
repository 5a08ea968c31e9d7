/** The corpus of hostile URLs, as a definition meets them: rendered from a payload, then given to the caller. */
import type { LookupAddress } from 'node:dns';
import { isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { hostileUrls, type HostileUrl } from '../../test/hostile-urls.ts';
import { callerWith, call, httpServer, policyOf, requestTo, respond } from '../../test/local-servers.ts';
import { splitUrl } from '../core/request/url.ts';
import type { ResolveHost } from './connector.ts';
import type { EgressRules } from './egress-policy.ts';

/** Answers as scripted, one list per time it is asked. */
function resolver(answers: HostileUrl['resolves']): ResolveHost {
  let asked = 0;
  return (hostname, done) => {
    const texts = answers?.[Math.min(asked++, answers.length - 1)];
    if (texts === undefined) done(new Error(`Unknown name ${hostname}.`), []);
    else
      done(
        null,
        texts.map((address): LookupAddress => ({ address, family: isIPv6(address) ? 6 : 4 })),
      );
  };
}

/** Why a call to the URL that came from data is refused, or what became of it. */
async function refusalOf(
  { url, resolves }: HostileUrl,
  rules: EgressRules = {},
  fromData = true,
  proxy?: string,
): Promise<string> {
  const parts = splitUrl(url);
  if ('error' in parts) return parts.error;
  const caller = callerWith({
    policy: policyOf(rules),
    resolve: resolver(resolves),
    connectTimeoutMillis: 500,
    ...(proxy === undefined ? undefined : { proxy }),
  });
  const answer = await call(caller, requestTo(url, { authorityFromData: fromData }));
  if (answer.kind !== 'failed' || answer.error !== 'refused' || answer.sent)
    return `not refused: ${JSON.stringify(answer)}`;
  return answer.message;
}

/** With names that no control character can break. */
function named(urls: readonly HostileUrl[]): [string, string, HostileUrl][] {
  return urls.map((hostile) => [JSON.stringify(hostile.url), hostile.reason, hostile]);
}

it('is a corpus of at least 80 different ones', () => {
  expect(new Set(hostileUrls.map(({ url, resolves }) => JSON.stringify([url, resolves]))).size).toBe(
    hostileUrls.length,
  );
  expect(hostileUrls.length).toBeGreaterThanOrEqual(80);
});

describe('a hostile URL that comes from data', () => {
  it.each(named(hostileUrls))('%s is refused: %s', async (_url, _reason, hostile) => {
    expect(await refusalOf(hostile)).toContain(hostile.reason);
  });
});

describe('a hostile URL behind a proxy, which resolves names itself', () => {
  const unresolved = hostileUrls.filter(({ resolves }) => resolves === undefined);
  it.each(named(unresolved))('%s is refused: %s', async (_url, _reason, hostile) => {
    expect(await refusalOf(hostile, {}, true, 'http://127.0.0.1:1')).toContain(hostile.reason);
  });
});

describe('a hostile URL of a definition', () => {
  it.each(named(hostileUrls))('%s is refused where private addresses are: %s', async (_url, _reason, hostile) => {
    const reason = await refusalOf(hostile, { allowPrivate: false }, false);
    expect(reason).toContain(hostile.reason.replace(/is private and its URL comes from data/, 'is a private address'));
  });

  const atMetadata = hostileUrls.filter(({ reason }) => reason.includes('metadata'));
  it.each(named(atMetadata))('%s is refused whatever is allowed: %s', async (_url, _reason, hostile) => {
    const allow = ['0.0.0.0/0', '::/0', '*.internal', 'metadata.goog', 'metadata.tencentyun.com', 'a.example'];
    expect(await refusalOf(hostile, { allow, allowPrivateFromData: allow })).toContain(hostile.reason);
  });
});

describe('a name that resolves to another address the second time', () => {
  it('is judged by the address of each connection', async () => {
    const { port } = await httpServer((_request, response) => response.setHeader('connection', 'close').end('{}'));
    const rules = { allowPrivateFromData: ['127.0.0.1'] };
    const resolve = resolver([['127.0.0.1'], ['127.0.0.2'], ['169.254.169.254']]);
    const caller = callerWith({ policy: policyOf(rules), resolve });
    const request = requestTo(`http://rebinding.example:${port}/`, { authorityFromData: true });
    expect(await respond(caller, request)).toMatchObject({ status: 200 });
    expect(await call(caller, request)).toMatchObject({ error: 'refused', sent: false });
    expect(await call(caller, request)).toMatchObject({
      error: 'refused',
      sent: false,
      message: expect.stringContaining('is a cloud metadata service') as unknown,
    });
  });
});

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('%i to a hostile URL is an answer, and is not followed', async (status) => {
    let asked = 0;
    const { url } = await httpServer((_request, response) => {
      asked += 1;
      response.writeHead(status, { location: `${url}/secret`, refresh: `0; url=${url}/secret` }).end();
    });
    const caller = callerWith();
    expect(await respond(caller, requestTo(url))).toMatchObject({ status });
    expect(asked).toBe(1);
  });
});
