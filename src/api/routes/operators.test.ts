import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const slowly = { type: 'retry', maxAttempts: 5, delayMillis: 60_000 };
const call = (host: string): object => ({ url: `http://${host}/x`, verb: 'POST' });

const order = {
  name: 'order',
  version: '1',
  failureHandling: slowly,
  compensationHandling: once,
  steps: [
    { name: 'pay', up: call('bank.example'), down: call('bank.example') },
    { name: 'ship', up: call('carrier.example'), failureHandling: once },
  ],
};
const sleeper = {
  name: 'sleeper',
  version: '1',
  entrypoint: 's',
  nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
};

let api: ApiFixture;
beforeEach(async () => {
  const authenticator = authenticatorOf({
    ops: ['operator', 'author'],
    viewer: ['viewer'],
    admin: ['admin'],
    elsewhere: { roles: ['operator'], definitions: ['other-*'] },
  });
  api = await new ApiFixture({ authenticator }).open();
});
afterEach(() => api.close());

async function ask(
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  payload?: object,
  caller = 'ops',
): Promise<{ readonly status: number; readonly body: AnswerBody }> {
  api.now += 1000;
  const answer = await api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller) },
    ...(payload !== undefined && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
}

async function start(definition: object): Promise<string> {
  return (await ask('POST', '/workflows/run', { definition })).body.id;
}

/** Starts an execution whose `pay` gets a 503 and backs off for a minute. */
async function backingOff(): Promise<string> {
  const id = await start(order);
  await api.drive(id, () => response(503));
  return id;
}

/** Runs an execution whose `ship` is refused, and so is the compensation of `pay`. */
async function corrupted(): Promise<string> {
  const id = await start(order);
  await api.drive(id, ({ nodeId, phase }) => response(phase === 'DOWN' || nodeId === 'ship' ? 422 : 200));
  return id;
}

async function asleep(): Promise<string> {
  const id = await start(sleeper);
  await api.drive(id);
  return id;
}

describe('a corrupted execution', () => {
  it('names the compensation that failed, in the list and by itself, until it is settled', async () => {
    const id = await corrupted();
    const failedCompensations = [{ nodeId: 'pay', visit: 1 }];
    const { body } = await ask('GET', `/workflows/${id}`);
    expect(body).toMatchObject({ status: 'CORRUPTED', failedNodeId: 'ship', failedCompensations });
    expect((await ask('GET', '/workflows')).body).toMatchObject([{ id, failedCompensations }]);
    await ask('POST', `/workflows/${id}/resolve`, {
      nodeId: 'pay',
      phase: 'DOWN',
      outcome: 'succeeded',
      reason: 'refunded by phone',
    });
    await api.drive(id);
    const settled = (await ask('GET', `/workflows/${id}`)).body;
    expect([settled.status, settled.failedCompensations]).toEqual(['FAILED', undefined]);
  });
});

describe('why', () => {
  it('says what could not be undone, in the list and by itself', async () => {
    const id = await corrupted();
    const headline = 'pay took effect, and could not be undone.';
    const { body } = await ask('GET', `/workflows/${id}`);
    expect(body.why).toEqual({ headline, detail: expect.stringContaining('Only an operator can end it') });
    expect(body).not.toHaveProperty('place');
    expect((await ask('GET', '/workflows')).body).toMatchObject([{ id, why: { headline } }]);
  });

  it('says where a call is tried again, with its host and port, and what is left', async () => {
    const id = await backingOff();
    const headline = 'pay got 503 from shop.example:80 and will be tried again.';
    const { body } = await ask('GET', `/workflows/${id}`);
    expect(body.why).toEqual({ headline, detail: expect.stringContaining('4 retries are left.') });
    const place = { state: 'BACKOFF', nodeId: 'pay', since: expect.any(String), until: expect.any(String) };
    expect(body.place).toMatchObject({ ...place, host: 'shop.example:80' });
    const [row] = (await ask('GET', '/workflows')).body;
    expect(row).toMatchObject({ place: { ...place, host: 'shop.example:80' }, why: { headline } });
    expect(row.why).not.toHaveProperty('detail');
  });

  it('names a run that sleeps and one that has failed', async () => {
    const failed = await start({ ...order, failureHandling: once, steps: [{ name: 'a', up: call('bank.example') }] });
    await api.drive(failed, () => response(402));
    await asleep();
    const { body } = await ask('GET', '/workflows');
    expect(body.map(({ why }: AnswerBody) => why.headline).toSorted()).toEqual([
      'a got 402 from shop.example:80.',
      's sleeps.',
    ]);
  });
});

describe('changes', () => {
  it('stand in the status document with who made them, once they are applied', async () => {
    const id = await asleep();
    expect((await ask('GET', `/workflows/${id}`)).body.changes).toBeUndefined();
    await ask('POST', `/workflows/${id}/wake`, { reason: 'too slow' }, 'viewer');
    await ask('POST', `/workflows/${id}/cancel`, { reason: 'wrong tenant' });
    await api.drive(id);
    const { body } = await ask('GET', `/workflows/${id}`, undefined, 'viewer');
    expect(body.status).toBe('CANCELLED');
    // A viewer may not wake, so the wake was refused.
    expect(body.changes).toEqual([
      { at: expect.any(String), actor: 'key:ops', action: 'cancel', details: { reason: 'wrong tenant' } },
    ]);
    await ask('POST', `/workflows/${id}/retry`, { reason: 'right after all' }, 'admin');
    const after = (await ask('GET', `/workflows/${id}`)).body.changes;
    expect(after.map(({ actor, action }: AnswerBody) => `${actor} ${action}`)).toHaveLength(2);
    expect(after).toContainEqual(
      expect.objectContaining({ actor: 'key:admin', action: 'retry', details: { reason: 'right after all' } }),
    );
  });

  it('of a terminated execution are told, too', async () => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/terminate`, { reason: 'gone' });
    await api.drive(id);
    expect((await ask('GET', `/workflows/${id}`)).body.changes).toMatchObject([{ action: 'terminate' }]);
  });

  it('are in the audit log of the execution, which callers that see it may read', async () => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/cancel`, { reason: 'wrong' });
    const mine = await ask('GET', `/workflows/${id}/audit`);
    expect(mine.status).toBe(200);
    expect(mine.body).toMatchObject([
      { actor: 'key:ops', action: 'execution.cancel', id, details: { reason: 'wrong' } },
    ]);
    expect((await ask('GET', `/sagas/${id}/audit?limit=1`)).body).toHaveLength(1);
    expect((await ask('GET', `/workflows/${id}/audit`, undefined, 'viewer')).status).toBe(200);
    // This caller may not see the execution's definition.
    expect((await ask('GET', `/workflows/${id}/audit`, undefined, 'elsewhere')).status).toBe(404);
    expect((await ask('GET', '/workflows/0190a5a0-0000-7000-8000-000000000000/audit')).status).toBe(404);
    expect((await ask('GET', `/workflows/${await asleep()}/audit`)).body).toEqual([]);
  });
});

describe('a hold', () => {
  it('says who placed it', async () => {
    const { body } = await ask('PUT', '/holds/bank', { host: 'bank.example', reason: 'closed' });
    expect(body).toMatchObject({ id: 'bank', actor: 'key:ops' });
    await ask('PUT', '/holds/bank', { host: 'bank.example', reason: 'still closed' }, 'admin');
    expect((await ask('GET', '/holds')).body).toMatchObject([{ actor: 'key:admin', reason: 'still closed' }]);
  });
});

describe('the filter by host', () => {
  it('finds what waits for it and what failed there', async () => {
    const waiting = await backingOff();
    const failed = await corrupted();
    await asleep();
    const found = async (query: string): Promise<string[]> =>
      (await ask('GET', `/workflows?${query}`)).body.map(({ id }: AnswerBody) => id).toSorted();
    expect(await found('host=shop.example')).toEqual([waiting, failed].toSorted());
    expect(await found('host=SHOP.example:80&status=IN_PROGRESS')).toEqual([waiting]);
    expect(await found('host=shop.example:8080')).toEqual([]);
    expect(await found('host=shop')).toEqual([]);
    const refused = await ask('GET', '/workflows?host=http://shop.example/x');
    expect(await found('host=http://shop.example')).toEqual([waiting, failed].toSorted());
    expect([refused.status, refused.body.errors]).toEqual([400, [expect.stringMatching(/^host: Must be a host name/)]]);
  });

  it('reads many runs at once, however few are asked for', async () => {
    const id = await backingOff();
    for (let n = 0; n < 30; n++) await start(order);
    const list = api.store.listExecutions.bind(api.store);
    let reads = 0;
    api.store.listExecutions = (...args) => {
      reads++;
      return list(...args);
    };
    const { body } = await ask('GET', '/workflows?host=shop.example&limit=1');
    expect(body).toMatchObject([{ id }]);
    expect(reads).toBe(1);
    expect((await ask('GET', '/workflows?host=shop.example&offset=1')).body).toEqual([]);
  });

  it('pages, and leaves nothing out', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push(await backingOff());
      await start(order);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const answer = await api.server.inject({
        url: `/workflows?host=shop.example&limit=2&cursor=${cursor}`,
        headers: { 'x-api-key': apiKeyOf('viewer') },
      });
      const page = answer.json<{ id: string }[]>();
      expect(page.length).toBeLessThanOrEqual(2);
      seen.push(...page.map(({ id }) => id));
      cursor = (answer.headers['x-next-cursor'] as string | undefined) ?? '';
    } while (cursor !== '');
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });

  it('bounds a bulk request', async () => {
    const failed = await corrupted();
    const request = { action: 'retry', filter: { host: 'shop.example' } };
    expect((await ask('POST', '/workflows/bulk', request)).body).toMatchObject({ matched: 1, ids: [failed] });
    const elsewhere = { ...request, filter: { host: 'bank.example' } };
    expect((await ask('POST', '/workflows/bulk', elsewhere)).body).toMatchObject({ matched: 0 });
  });
});

describe('a bulk request', () => {
  it('says what those wait for that it does not concern', async () => {
    await backingOff();
    await backingOff();
    const { body } = await ask('POST', '/workflows/bulk', { action: 'wake', filter: { name: 'order' }, dryRun: false });
    expect(body).toMatchObject({ matched: 0, done: 0, errors: [], others: [{ state: 'BACKOFF', count: 2 }] });
    await asleep();
    const all = await ask('POST', '/workflows/bulk', { action: 'wake', filter: {}, dryRun: false });
    expect(all.body).toMatchObject({ done: 1, others: [{ state: 'BACKOFF', count: 2 }] });
    const named = await ask('POST', '/workflows/bulk', { action: 'wake', filter: { status: 'SLEEPING' } });
    expect(named.body.others).toBeUndefined();
  });

  it('carries its reason into every execution', async () => {
    const ids = [await asleep(), await asleep()];
    await ask('POST', '/workflows/bulk', { action: 'cancel', filter: {}, dryRun: false, reason: 'tenant gone' });
    for (const id of ids) {
      await api.drive(id);
      const { body } = await ask('GET', `/workflows/${id}`);
      expect(body.failureDescription).toBe('Cancelled: tenant gone');
      expect(body.changes).toMatchObject([{ actor: 'key:ops', details: { bulk: true, reason: 'tenant gone' } }]);
    }
  });
});

describe('/workflows/top', () => {
  it('counts by status, definition, reason, node, host and wait', async () => {
    await backingOff();
    await backingOff();
    await corrupted();
    await asleep();
    const succeeded = await start(order);
    await api.drive(succeeded);
    const { body } = await ask('GET', '/workflows/top', undefined, 'viewer');
    expect(body).toEqual({
      counted: 4,
      more: false,
      statuses: [
        { value: 'IN_PROGRESS', count: 2 },
        { value: 'CORRUPTED', count: 1 },
        { value: 'SLEEPING', count: 1 },
      ],
      names: [
        { value: 'order', count: 3 },
        { value: 'sleeper', count: 1 },
      ],
      reasons: [{ value: 'compensation', count: 1 }],
      nodes: [
        { value: 'pay', count: 3 },
        { value: 's', count: 1 },
      ],
      hosts: [{ value: 'shop.example:80', count: 3 }],
      waits: [
        { value: 'BACKOFF', count: 2 },
        { value: 'SLEEPING', count: 1 },
      ],
    });
    const short = (await ask('GET', '/workflows/top?limit=1&host=shop.example')).body;
    expect(short).toMatchObject({ counted: 3, names: [{ value: 'order', count: 3 }], nodes: [{ value: 'pay' }] });
    const seen = (await ask('GET', '/workflows/top', undefined, 'elsewhere')).body;
    expect(seen.counted).toBe(0);
    expect((await ask('GET', '/workflows/top?colour=red')).status).toBe(400);
  });

  it('stops at its bound and says so', async () => {
    const item = (await api.store.listExecutions({}, { limit: 1 })).items[0];
    expect(item).toBeUndefined();
    await backingOff();
    const list = api.store.listExecutions.bind(api.store);
    let rows = 0;
    api.store.listExecutions = async (filter, page) => {
      const { items } = await list(filter, { limit: 1, withState: true });
      rows += page.limit;
      return { items: Array.from({ length: page.limit }, () => items[0] as (typeof items)[0]), cursor: 'more' };
    };
    const { body } = await ask('GET', '/workflows/top');
    expect([body.counted, body.more, rows]).toEqual([10_000, true, 10_000]);
    expect(body.names).toEqual([{ value: 'order', count: 10_000 }]);
  });
});
