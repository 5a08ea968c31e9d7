import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';
import { StoreUnavailable } from '../../ports/store.ts';

const definition = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  steps: [{ name: 'a', up: { url: 'http://shop.example/a', verb: 'POST' } }],
};
const sleeper = {
  name: 'sleeper',
  version: '1',
  entrypoint: 's',
  nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
};

const unknownId = '0190a5a0-0000-7000-8000-000000000000';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

async function bulk(payload: object): Promise<{ status: number; body: AnswerBody }> {
  const answer = await api.server.inject({ method: 'POST', url: '/workflows/bulk', payload });
  return { status: answer.statusCode, body: answer.json() };
}

async function failed(labels: object = {}): Promise<string> {
  const id = await api.run(definition, { labels });
  await api.drive(id, () => response(422));
  return id;
}

async function asleep(): Promise<string> {
  const id = await api.run(sleeper);
  await api.drive(id);
  return id;
}

const statusOf = async (id: string): Promise<string> => (await api.store.getExecution(id))!.status;

describe('a bulk request', () => {
  it('changes nothing unless it is told to', async () => {
    const ids = [await failed(), await failed()];
    const { status, body } = await bulk({ action: 'retry', filter: {} });
    expect(status).toBe(200);
    expect({ ...body, ids: body.ids.toSorted() }).toEqual({
      matched: 2,
      done: 0,
      ids: ids.toSorted(),
      errors: [],
      more: false,
    });
    for (const id of ids) expect(await statusOf(id)).toBe('FAILED');
  });

  it('changes what matches and leaves the rest', async () => {
    const [a, b] = [await failed({ tenant: 'a' }), await failed({ tenant: 'b' })];
    const { body } = await bulk({
      action: 'retry',
      filter: { label: 'tenant:a', status: 'FAILED', name: 'order' },
      dryRun: false,
    });
    expect(body).toEqual({ matched: 1, done: 1, ids: [a], errors: [], more: false });
    expect([await statusOf(a), await statusOf(b)]).toEqual(['IN_PROGRESS', 'FAILED']);
    expect(api.rings).toContain(a);
  });

  it('changes those that it names, and lists those that refuse', async () => {
    const [a, b] = [await asleep(), await asleep()];
    const { body } = await bulk({ action: 'wake', ids: [a, a.toUpperCase(), unknownId], dryRun: false });
    expect(body).toEqual({
      matched: 2,
      done: 1,
      ids: [a],
      errors: [{ id: unknownId, code: 'unknown_execution', errors: [`There is no execution ${unknownId}.`] }],
      more: false,
    });
    expect(await api.store.readInbox(b)).toMatchObject({ inbox: [] });
  });

  it('stops at its bound and says that more match', async () => {
    for (let i = 0; i < 5; i++) await failed();
    const first = await bulk({ action: 'retry', filter: {}, dryRun: false, max: 3 });
    expect(first.body).toMatchObject({ matched: 3, done: 3, more: true });
    const second = await bulk({ action: 'retry', filter: {}, dryRun: false, max: 3 });
    expect(second.body).toMatchObject({ matched: 2, done: 2, more: false });
  });

  it('reads as many pages as it takes', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 205; i++) ids.add(await api.run(sleeper, { startAt: '2030-02-01T00:00:00Z' }));
    const { body } = await bulk({ action: 'terminate', filter: { name: 'sleeper' }, dryRun: false });
    expect([body.matched, body.done, new Set(body.ids)]).toEqual([205, 205, ids]);
  });

  it('lists what refuses, and goes on', async () => {
    const [over, sleeping] = [await failed(), await asleep()];
    const { body } = await bulk({ action: 'wake', filter: { status: ['FAILED', 'SLEEPING'] }, dryRun: false });
    expect(body).toMatchObject({ matched: 2, done: 1, ids: [sleeping] });
    expect(body.errors).toEqual([{ id: over, code: 'state_conflict', errors: ['The execution is over: FAILED.'] }]);
  });

  it.each([
    ['cancel', ['sleeper']],
    ['terminate', ['sleeper']],
    ['wake', ['sleeper']],
    ['retry', ['order']],
  ])('of %s looks, without a status, only where that is possible', async (action, names) => {
    await failed();
    await asleep();
    const { body } = await bulk({ action, filter: {} });
    const found = await Promise.all(body.ids.map(async (id: string) => (await api.store.getExecution(id))!.name));
    expect(found).toEqual(names);
  });

  it('says how far it came when the store goes away', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await asleep());
    const offer = api.store.offer.bind(api.store);
    let calls = 0;
    api.store.offer = (...args) =>
      ++calls > 10 ? Promise.reject(new StoreUnavailable('unreachable', 'gone')) : offer(...args);
    const { status, body } = await bulk({ action: 'wake', filter: {}, dryRun: false });
    expect([status, body.matched, body.done, body.more]).toEqual([200, 20, 10, true]);
    expect(body.errors.length).toBeGreaterThan(0);
    expect(body.errors[0].code).toBe('store_unavailable');
  });

  it('is 503 when not even the list can be read', async () => {
    api.store.listExecutions = () => Promise.reject(new StoreUnavailable('unreachable', 'gone'));
    expect((await bulk({ action: 'wake', filter: {} })).status).toBe(503);
  });

  it.each([
    [{ filter: {} }, 'action: Is required.'],
    [{ action: 'wake' }, 'request: Must have either filter or ids.'],
    [{ action: 'wake', filter: {}, ids: [unknownId] }, 'request: Must have either filter or ids.'],
    [{ action: 'wake', ids: ['x'] }, 'ids[0]: Must be a UUID'],
    [{ action: 'wake', ids: Array.from({ length: 201 }, () => unknownId) }, 'ids: Must have at most 200'],
    [{ action: 'resolve', filter: {} }, 'action: Must be'],
    [{ action: 'wake', filter: { status: ['GONE'] } }, 'filter.status[0]: Must be'],
    [{ action: 'wake', filter: { status: 'GONE' } }, 'filter.status: GONE is no status.'],
    [{ action: 'wake', filter: { status: 3 } }, 'filter.status: Must be a list or a string.'],
    [{ action: 'wake', filter: { limit: 3 } }, 'filter.limit: Is not a known field.'],
    [{ action: 'wake', filter: { label: ['x'] } }, 'label: Must be of the form name:value'],
    [{ action: 'wake', filter: { startedAfter: 'x' } }, 'startedAfter: Must be an ISO 8601 time'],
    [{ action: 'wake', filter: {}, max: 0 }, 'max: Must be at least 1.'],
    [{ action: 'wake', filter: {}, dryRun: 'no' }, 'dryRun: Must be true or false.'],
  ])('is refused: %j', async (request, sentence) => {
    const { status, body } = await bulk(request);
    expect(status).toBe(400);
    expect(body.errors.join('\n')).toContain(sentence);
  });
});
