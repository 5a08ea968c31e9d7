import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../test/credentials.ts';

const definitionOf = (name: string, version = '1') => ({
  name,
  version,
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  steps: [{ name: 'reserve', up: { url: 'http://shop.example/reserve', verb: 'POST' } }],
});

const unknownId = '0190a5a0-0000-7000-8000-000000000000';

let api: ApiFixture;
/** Ids that the limited caller may see, and ids that it may not. */
let own: { readonly running: string; readonly failed: string; readonly definition: string };
let foreign: typeof own;

const as = (caller: string) => (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
  api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller) },
    ...(payload !== undefined && { payload }),
  });
const limited = as('limited');
const admin = as('admin');

async function seed(name: string): Promise<typeof own> {
  const definition = (await admin('POST', '/workflows/definitions', definitionOf(name))).json().id;
  const start = async (): Promise<string> =>
    (await admin('POST', `/workflows/definitions/${name}/1/run`, { labels: { a: 'b' } })).json().id;
  const running = await start();
  const failed = await start();
  await api.drive(failed, () => response(400));
  return { running, failed, definition };
}

beforeEach(async () => {
  api = await new ApiFixture({
    authenticator: authenticatorOf({
      admin: ['admin'],
      limited: { roles: ['admin'], definitions: ['order-*', 'pay'] },
    }),
  }).open();
  own = await seed('order-eu');
  foreign = await seed('orders');
});
afterEach(() => api.close());

describe('a caller that is limited to some definitions', () => {
  it('sees what belongs to them', async () => {
    for (const path of ['', '/definition', '/steps', '/steps/calls', '/retry-preview']) {
      expect([path, (await limited('GET', `/workflows/${own.failed}${path}`)).statusCode]).toEqual([path, 200]);
    }
    expect((await limited('GET', `/workflows/definitions/${own.definition}`)).statusCode).toBe(200);
    expect((await limited('GET', '/workflows/definitions/order-eu/latest')).statusCode).toBe(200);
  });

  it.each<['GET' | 'POST', (of: string) => string, object?]>([
    ['GET', (id) => `/workflows/${id}`],
    ['GET', (id) => `/sagas/${id}`],
    ['GET', (id) => `/workflows/${id}/definition`],
    ['GET', (id) => `/workflows/${id}/children`],
    ['GET', (id) => `/workflows/${id}/steps`],
    ['GET', (id) => `/workflows/${id}/steps/calls`],
    ['GET', (id) => `/workflows/${id}/events`],
    ['GET', (id) => `/workflows/${id}/cancel-preview`],
    ['GET', (id) => `/workflows/${id}/retry-preview`],
    ['POST', (id) => `/workflows/${id}/retry`, {}],
    ['POST', (id) => `/workflows/${id}/cancel`, {}],
    ['POST', (id) => `/workflows/${id}/terminate`, {}],
    ['POST', (id) => `/workflows/${id}/wake`, {}],
    [
      'POST',
      (id) => `/workflows/${id}/resolve`,
      { nodeId: 'reserve', phase: 'UP', outcome: 'succeeded', reason: 'I looked' },
    ],
  ])('cannot tell another execution from none: %s', async (method, url, body) => {
    for (const id of [foreign.running, foreign.failed]) {
      const [answer, none] = [await limited(method, url(id), body), await limited(method, url(unknownId), body)];
      expect(answer.statusCode).toBe(404);
      const { requestId: _a, ...said } = answer.json();
      const { requestId: _b, ...saidOfNone } = none.json();
      expect(JSON.stringify(said).replaceAll(id, unknownId)).toBe(JSON.stringify(saidOfNone));
    }
    const detail = await api.store.getExecution(foreign.running);
    expect([detail?.inboxSeq, (await api.store.getExecution(foreign.failed))?.status]).toEqual([0, 'FAILED']);
  });

  it('cannot tell another definition from none', async () => {
    const of = async (url: string) => {
      const { requestId: _id, ...said } = (await limited('GET', url)).json();
      return JSON.stringify(said);
    };
    expect((await of(`/workflows/definitions/${foreign.definition}`)).replace(foreign.definition, unknownId)).toBe(
      await of(`/workflows/definitions/${unknownId}`),
    );
    expect((await of('/workflows/definitions/orders/latest')).replace('orders', 'nothing')).toBe(
      await of('/workflows/definitions/nothing/latest'),
    );
    const run = await limited('POST', '/workflows/definitions/orders/1/run', {});
    expect([run.statusCode, run.json().code]).toEqual([404, 'unknown_definition']);
    const gone = await limited('DELETE', `/workflows/definitions/${foreign.definition}`);
    expect(gone.statusCode).toBe(204);
    expect(await api.store.getDefinition({ id: foreign.definition })).toBeDefined();
    expect((await limited('DELETE', `/workflows/definitions/${own.definition}`)).statusCode).toBe(204);
    expect(await api.store.getDefinition({ id: own.definition })).toBeUndefined();
  });

  it('finds only its own in lists, whatever the filter, and pages through them', async () => {
    const names = async (query: string): Promise<readonly string[]> =>
      (await limited('GET', `/workflows?${query}`)).json().map(({ name }: { name: string }) => name);
    expect(await names('')).toEqual(['order-eu', 'order-eu']);
    expect(await names('name=orders')).toEqual([]);
    expect(await names('label=a:b&status=FAILED')).toEqual(['order-eu']);
    const first = await limited('GET', '/workflows?limit=1');
    const second = await limited('GET', `/workflows?limit=1&cursor=${String(first.headers['x-next-cursor'])}`);
    expect(second.json()).toHaveLength(1);
    expect(second.headers).not.toHaveProperty('x-next-cursor');
    const definitions = (await limited('GET', '/workflows/definitions')).json();
    expect(definitions.map(({ name }: { name: string }) => name)).toEqual(['order-eu']);
    expect((await admin('GET', '/workflows')).json()).toHaveLength(4);
  });

  it('runs and stores only what is named so', async () => {
    expect((await limited('POST', '/workflows/run', { definition: definitionOf('pay') })).statusCode).toBe(200);
    expect((await limited('POST', '/workflows/definitions/order-eu/1/run', {})).statusCode).toBe(200);
    expect((await limited('POST', '/workflows/definitions', definitionOf('order-us'))).statusCode).toBe(200);
    for (const answer of [
      await limited('POST', '/workflows/run', { definition: definitionOf('payments') }),
      await limited('POST', '/workflows/definitions', definitionOf('orders', '2')),
      await limited('POST', '/workflows/definitions', definitionOf('orders')),
      await limited('PUT', `/workflows/definitions/${unknownId}`, definitionOf('orders', '3')),
    ]) {
      expect([answer.statusCode, answer.json().code]).toEqual([403, 'forbidden']);
      expect(answer.json().errors).toEqual(['These credentials are limited to definitions named order-*, pay.']);
    }
    expect((await api.store.listExecutions({ name: 'payments' }, { limit: 1 })).items).toEqual([]);
    expect(await api.store.getDefinition({ name: 'orders', version: '2' })).toBeUndefined();
  });

  it('controls its own', async () => {
    expect((await limited('POST', `/workflows/${own.failed}/retry`)).statusCode).toBe(202);
    expect((await limited('POST', `/workflows/${own.running}/cancel`)).statusCode).toBe(202);
  });
});
