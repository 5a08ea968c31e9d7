import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response, secretValue } from '../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../test/credentials.ts';
import { StoreUnavailable } from '../ports/store.ts';

const definition = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  steps: [{ name: 'reserve', up: { url: 'http://shop.example/reserve', verb: 'POST' } }],
};
const unknownId = '0190a5a0-0000-7000-8000-000000000000';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture({
    authenticator: authenticatorOf({ ops: ['operator', 'author'], viewer: ['viewer'], admin: ['admin'] }),
  }).open();
});
afterEach(() => api.close());

const as = (caller: string) => (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) => {
  // The clock advances, so that the entries have a definite order.
  api.now += 1000;
  return api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller), 'x-request-id': `request-${String(api.now)}` },
    remoteAddress: '10.0.0.7',
    ...(payload !== undefined && { payload }),
  });
};
const ops = as('ops');

interface Entry {
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
}

async function entries(query = ''): Promise<readonly Entry[]> {
  return (await as('admin')('GET', `/audit?${query}`)).json();
}

/** All entries as action and outcome, oldest first. */
async function told(): Promise<readonly string[]> {
  const all = [...(await entries())].sort((a, b) => (a.at < b.at ? -1 : 1));
  return all.map(({ action, outcome }) => `${action} ${outcome}`);
}

async function start(): Promise<string> {
  return (await ops('POST', '/workflows/run', { definition })).json().id;
}

describe('the audit log', () => {
  it('says who did what to what, when and from where', async () => {
    const id = await start();
    await ops('POST', `/workflows/${id}/cancel`, { reason: `stop ${secretValue}` });
    expect(await entries()).toEqual([
      {
        entryId: expect.any(String),
        at: new Date(api.now - 1000).toISOString(),
        actor: 'key:ops',
        action: 'execution.cancel',
        id,
        address: '10.0.0.7',
        outcome: 'done',
        requestId: `request-${String(api.now - 1000)}`,
        details: { reason: 'stop ***' },
      },
    ]);
    // Entries are permanent, so they are masked before storing; so is the reason that the execution keeps.
    const { items } = await api.store.listAudit({}, { limit: 10 });
    expect(items.map(({ details }) => details)).toEqual(['{"reason":"stop ***"}']);
    const { inbox } = await api.store.readInbox(id);
    expect(inbox.map(({ event }) => event)).toMatchObject([{ type: 'cancelled', reason: 'stop ***' }]);
  });

  it('has every kind of change, and of refused changes the code', async () => {
    const stored = (await ops('POST', '/workflows/definitions', definition)).json().id;
    await ops('POST', '/workflows/definitions', definition);
    await ops('POST', '/workflows/definitions', { ...definition, description: 'other' });
    await ops('PUT', `/workflows/definitions/${unknownId}`, { ...definition, version: '2' });
    await ops('DELETE', `/workflows/definitions/${stored}`);
    await ops('DELETE', `/workflows/definitions/${stored}`);
    const id = await start();
    await ops('POST', `/workflows/${id}/wake`);
    await ops('POST', `/workflows/${id}/retry`);
    await api.drive(id, () => response(400));
    await ops('POST', `/workflows/${id}/retry`);
    await ops('POST', `/workflows/${id}/terminate`);
    await ops('POST', `/workflows/${unknownId}/cancel`);
    await ops('POST', `/workflows/${id}/resolve`, { nodeId: 'a', phase: 'DOWN', outcome: 'failed', reason: 'r' });
    expect(await told()).toEqual([
      'definition.put done',
      'definition.put definition_conflict',
      'definition.put done',
      'definition.delete done',
      'execution.wake state_conflict',
      'execution.retry state_conflict',
      'execution.retry done',
      'execution.terminate done',
      'execution.cancel unknown_execution',
      'execution.resolve state_conflict',
    ]);
  });

  it('leaves out runs, reads, wrong requests and refused callers', async () => {
    const id = await start();
    await ops('GET', `/workflows/${id}`);
    await ops('POST', `/workflows/${id}/cancel`, { reson: 'typo' });
    await ops('POST', '/workflows/definitions', { name: 'x' });
    await as('viewer')('POST', `/workflows/${id}/cancel`);
    await as('unknown')('POST', `/workflows/${id}/cancel`);
    expect(await told()).toEqual([]);
  });

  it('filters and pages', async () => {
    const ids = [await start(), await start(), await start()];
    for (const id of ids) await ops('POST', `/workflows/${id}/cancel`);
    await as('admin')('POST', `/workflows/${ids[0] ?? ''}/terminate`);
    expect(await entries('actor=key:admin')).toHaveLength(1);
    expect(await entries('action=execution.cancel')).toHaveLength(3);
    expect(await entries(`id=${ids[0] ?? ''}`)).toHaveLength(2);
    expect(await entries(`id=${ids[0] ?? ''}&actor=key:absent`)).toEqual([]);
    const first = await as('admin')('GET', '/audit?limit=3&order=asc');
    expect(first.json()).toHaveLength(3);
    const cursor = String(first.headers['x-next-cursor']);
    const second = await as('admin')('GET', `/audit?limit=3&order=asc&cursor=${cursor}`);
    expect(second.json()).toHaveLength(1);
    expect(second.headers).not.toHaveProperty('x-next-cursor');
    expect((await as('admin')('GET', '/audit?cursor=nonsense')).json().code).toBe('invalid_cursor');
    expect((await as('admin')('GET', '/audit?limit=x')).statusCode).toBe(400);
  });

  it('is complete: a refusal that cannot be entered is not answered', async () => {
    Object.assign(api.store, { appendAudit: () => Promise.reject(new StoreUnavailable('full', 'no room')) });
    const answer = await ops('POST', `/workflows/${unknownId}/cancel`);
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'store_unavailable']);
  });

  it('names no actor without authentication', async () => {
    await api.close();
    api = await new ApiFixture().open();
    const id = await api.run(definition);
    await api.server.inject({ method: 'POST', url: `/workflows/${id}/cancel` });
    expect((await api.server.inject('/audit')).json()).toMatchObject([{ actor: 'anonymous', id, outcome: 'done' }]);
  });
});
