import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../../test/credentials.ts';

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const call = (path: string): object => ({ url: `http://shop.example/${path}`, verb: 'POST' });
const order = {
  name: 'order',
  version: '1',
  entrypoint: 'pay',
  failureHandling: once,
  compensationHandling: once,
  nodes: [
    { kind: 'task', id: 'pay', action: { mode: 'sync', request: call('pay') }, compensation: call('unpay'), next: 's' },
    { kind: 'sleep', id: 's', duration: 'PT1H', next: 'ship' },
    { kind: 'task', id: 'ship', action: { mode: 'sync', request: call('ship') } },
  ],
};
const unknownId = '0190a5a0-0000-7000-8000-000000000000';

let api: ApiFixture;
beforeEach(async () => {
  const authenticator = authenticatorOf({
    ops: ['operator', 'author', 'admin'],
    viewer: ['viewer'],
    elsewhere: { roles: ['operator'], definitions: ['other-*'] },
  });
  api = await new ApiFixture({ authenticator }).open();
});
afterEach(() => api.close());

const ask = (
  method: 'GET' | 'POST',
  url: string,
  headers: Readonly<Record<string, string>> = {},
  payload?: object,
  caller = 'ops',
) => {
  api.now += 1000;
  return api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller), ...headers },
    ...(payload !== undefined && { payload }),
  });
};

async function asleep(): Promise<string> {
  const id = (await ask('POST', '/workflows/run', {}, { definition: order })).json<{ id: string }>().id;
  await api.drive(id);
  return id;
}

async function etagOf(id: string, path = ''): Promise<string> {
  return (await ask('GET', `/workflows/${id}${path}`)).headers.etag as string;
}

describe('the ETag of an execution', () => {
  it('is the same in the status document and in previews, and moves with checkpoints and accepted requests alone', async () => {
    const id = await asleep();
    const etag = await etagOf(id);
    expect(etag).toMatch(/^"\d+\.\d+"$/);
    expect(await etagOf(id, '/cancel-preview')).toBe(etag);
    expect(await etagOf(id, '?bodies=none')).toBe(etag);
    expect((await ask('GET', `/workflows/${id}`, {}, undefined, 'viewer')).headers.etag).toBe(etag);
    await ask('POST', `/workflows/${id}/retry`);
    api.now += 60_000;
    expect(await etagOf(id)).toBe(etag);
    await ask('POST', `/workflows/${id}/wake`);
    const woken = await etagOf(id);
    expect(woken).not.toBe(etag);
    await api.drive(id);
    expect([etag, woken]).not.toContain(await etagOf(id));
  });

  it('answers 304 where the client has it, without a body', async () => {
    const id = await asleep();
    const etag = await etagOf(id);
    for (const path of ['', '?bodies=none', '/cancel-preview']) {
      for (const header of [etag, `W/${etag}`, `"1.1", ${etag}`, '*']) {
        const answer = await ask('GET', `/workflows/${id}${path}`, { 'if-none-match': header });
        expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, '', etag]);
        expect(answer.headers['cache-control']).toBe('no-store');
      }
    }
    const other = await ask('GET', `/workflows/${id}`, { 'if-none-match': '"1.9"' });
    expect([other.statusCode, other.json().id]).toEqual([200, id]);
  });

  it('refuses a malformed If-None-Match, and an unknown execution first', async () => {
    const id = await asleep();
    const answer = await ask('GET', `/workflows/${id}`, { 'if-none-match': 'abc' });
    expect([answer.statusCode, answer.json().errors[0]]).toEqual([
      400,
      expect.stringMatching(/^If-None-Match: Must be/),
    ]);
    expect((await ask('GET', `/workflows/${unknownId}`, { 'if-none-match': '*' })).statusCode).toBe(404);
  });
});

describe('If-Match', () => {
  it('makes a change at that revision alone, so that of two people the second is refused', async () => {
    const id = await asleep();
    const etag = await etagOf(id);
    const first = await ask('POST', `/workflows/${id}/cancel`, { 'if-match': etag });
    expect(first.statusCode).toBe(202);
    const second = await ask('POST', `/workflows/${id}/cancel`, { 'if-match': etag });
    expect([second.statusCode, second.json().code]).toEqual([412, 'state_changed']);
    expect((await ask('POST', `/workflows/${id}/cancel`, { 'if-match': '*' })).statusCode).toBe(202);
    const audit = (await ask('GET', `/workflows/${id}/audit`)).json<{ action: string; outcome: string }[]>();
    expect(audit.map(({ action, outcome }) => `${action} ${outcome}`).sort()).toEqual([
      'execution.cancel done',
      'execution.cancel done',
      'execution.cancel state_changed',
    ]);
  });

  it.each(['cancel', 'terminate', 'wake'])('is judged before whether a %s is possible', async (action) => {
    const id = await asleep();
    const etag = await etagOf(id);
    await ask('POST', `/workflows/${id}/terminate`);
    await api.drive(id);
    const stale = await ask('POST', `/workflows/${id}/${action}`, { 'if-match': etag });
    expect([stale.statusCode, stale.json().code]).toEqual([412, 'state_changed']);
    const now = await ask('POST', `/workflows/${id}/${action}`, { 'if-match': await etagOf(id) });
    expect([now.statusCode, now.json().code]).toEqual([409, 'state_conflict']);
  });

  it('holds for retry and resolve of what is over, too', async () => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/cancel`);
    await api.drive(id, () => response(422));
    const etag = await etagOf(id);
    expect(await etagOf(id, '/retry-preview')).toBe(etag);
    const resolution = { nodeId: 'pay', phase: 'DOWN', outcome: 'succeeded', reason: 'by hand' };
    const early = await ask('POST', `/workflows/${id}/resolve`, { 'if-match': '"1.1"' }, resolution);
    expect(early.statusCode).toBe(412);
    expect((await ask('POST', `/workflows/${id}/retry`, { 'if-match': 'W/' + etag })).statusCode).toBe(412);
    expect((await ask('POST', `/workflows/${id}/resolve`, { 'if-match': etag }, resolution)).statusCode).toBe(202);
    expect((await ask('POST', `/workflows/${id}/retry`, { 'if-match': etag })).statusCode).toBe(412);
  });

  it('is refused where it is malformed: after 401, 403 and 404, before the rest', async () => {
    const id = await asleep();
    const bad = { 'if-match': 'abc' };
    const codes = async (caller: string, of: string): Promise<number> =>
      (await ask('POST', `/workflows/${of}/cancel`, bad, undefined, caller)).statusCode;
    expect(await codes('nobody', id)).toBe(401);
    expect(await codes('viewer', id)).toBe(403);
    expect(await codes('elsewhere', id)).toBe(404);
    expect(await codes('ops', unknownId)).toBe(404);
    const answer = await ask('POST', `/workflows/${id}/cancel`, bad);
    expect([answer.statusCode, answer.json().errors[0]]).toEqual([400, expect.stringMatching(/^If-Match: Must be/)]);
  });
});
