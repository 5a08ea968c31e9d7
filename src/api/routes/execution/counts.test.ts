import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../../test/api-fixture.ts';
import { block } from '../../../../test/blocked-run.ts';
import { apiKeyOf, authenticatorOf } from '../../../../test/credentials.ts';
import { changeHolds } from '../../../engine/call/gate/call-holds.ts';

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const slowly = { type: 'retry', maxAttempts: 5, delayMillis: 600_000 };
const call = { url: 'http://shop.example/x', verb: 'POST' };
const order = (name: string, failureHandling: object) => ({
  name,
  version: '1',
  failureHandling,
  compensationHandling: once,
  steps: [
    { name: 'pay', up: call, down: call },
    { name: 'ship', up: call },
  ],
});
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
    scoped: { roles: ['viewer'], definitions: ['slow*'] },
  });
  api = await new ApiFixture({ authenticator }).open();
});
afterEach(() => api.close());

async function get(url: string, caller = 'ops'): Promise<{ status: number; body: AnswerBody; scanned: unknown }> {
  const answer = await api.server.inject({ url, headers: { 'x-api-key': apiKeyOf(caller) } });
  return { status: answer.statusCode, body: answer.json(), scanned: answer.headers['x-scanned'] };
}

async function start(definition: object): Promise<string> {
  api.now += 1000;
  const answer = await api.server.inject({
    method: 'POST',
    url: '/workflows/run',
    headers: { 'x-api-key': apiKeyOf('ops') },
    payload: { definition },
  });
  return answer.json<{ id: string }>().id;
}

async function ran(definition: object, answer: (nodeId: string, phase: string) => number): Promise<string> {
  const id = await start(definition);
  await api.drive(id, ({ nodeId, phase }) => response(answer(nodeId, phase)));
  return id;
}

/** Lets `pay` of a run wait: blocked by a hold or an open circuit. */
async function blockedRun(why: { cause: 'hold'; holdId: string } | { cause: 'circuit' }): Promise<string> {
  const id = await start(order('slow', slowly));
  await block(api, id, { host: 'bank.example:443', ...why });
  return id;
}

/** One run of each kind, by what it waits for or ended with. */
async function sample(): Promise<Readonly<Record<string, string>>> {
  return {
    backoff: await ran(order('slow', slowly), () => 503),
    refused: await ran(order('order', once), () => 402),
    late: await ran(order('order', once), (node) => (node === 'pay' ? 200 : 504)),
    corrupted: await ran(order('order', once), (node, phase) => (node === 'ship' || phase === 'DOWN' ? 422 : 200)),
    done: await ran(order('order', once), () => 200),
    asleep: await ran(sleeper, () => 200),
  };
}

describe('the filters of the list', () => {
  it.each([
    ['state=BACKOFF', ['backoff']],
    ['state=BACKOFF&state=SLEEPING', ['backoff', 'asleep']],
    ['nodeId=pay', ['backoff']],
    ['nodeId=s&state=SLEEPING', ['asleep']],
    ['nodeId=ship', []],
    ['host=shop.example&state=BACKOFF', ['backoff']],
    ['host=other.example', []],
    ['hold=bank', []],
    ['stuck=true', []],
    ['callStatus=402', ['refused']],
    ['callStatus=4xx', ['refused', 'corrupted']],
    ['callStatus=402&callStatus=5xx', ['refused', 'late']],
    ['callStatus=422&status=FAILED', []],
    ['standing=unknown', ['late']],
    ['standing=succeeded', ['corrupted']],
    ['standing=true', ['late', 'corrupted']],
  ])('%s', async (query, expected) => {
    const ids = await sample();
    const { status, body } = await get(`/workflows?${query}`);
    expect([status, body.errors]).toEqual([200, undefined]);
    const names = Object.keys(ids).filter((name) => body.some(({ id }: AnswerBody) => id === ids[name]));
    expect(names.toSorted()).toEqual([...expected].toSorted());
  });

  it('find an id by its beginning', async () => {
    const { done = '' } = await sample();
    for (const prefix of [done, done.slice(0, 8), done.slice(0, 13).toUpperCase(), done.replaceAll('-', '')]) {
      const { body } = await get(`/workflows?idPrefix=${prefix}`);
      expect(body.map(({ id }: AnswerBody) => id)).toContain(done);
      for (const { id } of body)
        expect(id.replaceAll('-', '')).toMatch(new RegExp(`^${prefix.replaceAll('-', '')}`, 'i'));
    }
    expect((await get('/workflows?idPrefix=ffff0000')).body).toEqual([]);
  });

  it.each([
    'idPrefix=abc',
    'idPrefix=xyz12',
    'idPrefix=----',
    'callStatus=600',
    'callStatus=6xx',
    'state=NOWHERE',
    'standing=maybe',
  ])('refuse %s', async (query) => {
    const { status, body } = await get(`/workflows?${query}`);
    expect([status, body.errors[0]]).toEqual([400, expect.stringMatching(new RegExp(`^${query.split('=')[0] ?? ''}`))]);
  });

  it('find what is due without a checkpoint for too long', async () => {
    const id = await start(order('slow', slowly));
    expect((await get('/workflows?stuck=true')).body).toEqual([]);
    api.now += 61_000;
    expect((await get('/workflows?stuck=true')).body).toMatchObject([{ id }]);
    await ran(sleeper, () => 200);
    expect((await get('/workflows?stuck=true')).body).toHaveLength(1);
  });

  it('find what waits for a hold that stands', async () => {
    const id = await blockedRun({ cause: 'hold', holdId: 'bank' });
    await blockedRun({ cause: 'circuit' });
    // A hold that was lifted has no runs.
    expect((await get('/workflows?hold=bank')).body).toEqual([]);
    await changeHolds(api.store, api.now, () => [
      { id: 'bank', host: 'bank.example', reason: 'r', createdAt: api.now },
    ]);
    expect((await get('/workflows?hold=bank')).body).toMatchObject([{ id, place: { state: 'BLOCKED' } }]);
    expect((await get('/workflows?state=BLOCKED&host=https://bank.example')).body).toHaveLength(2);
  });
});

describe('GET /workflows/counts', () => {
  it('counts in groups, the largest first, then the newest, each with a sample', async () => {
    const ids = await sample();
    const again = await ran(order('order', once), () => 402);
    const { body } = await get('/workflows/counts?by=name&by=failedNodeId&by=reason&by=callStatus&status=FAILED');
    expect(body).toEqual({
      exact: true,
      scanned: 3,
      asOf: expect.any(String),
      groups: [
        {
          name: 'order',
          failedNodeId: 'pay',
          reason: 'status_4xx',
          callStatus: 402,
          count: 2,
          newest: expect.any(String),
          sampleId: expect.any(String),
        },
        {
          name: 'order',
          failedNodeId: 'ship',
          reason: 'status_5xx',
          callStatus: 504,
          count: 1,
          newest: expect.any(String),
          sampleId: ids['late'],
        },
      ],
    });
    expect([ids['refused'], again]).toContain(body.groups[0].sampleId);
  });

  it('counts all as one group, and leaves out keys that a run lacks', async () => {
    await sample();
    expect((await get('/workflows/counts')).body.groups).toMatchObject([{ count: 6 }]);
    const { groups } = (await get('/workflows/counts?by=host&by=state&state=BACKOFF&state=SLEEPING')).body;
    expect(groups).toHaveLength(2);
    expect(groups).toContainEqual(expect.objectContaining({ host: 'shop.example:80', state: 'BACKOFF', count: 1 }));
    const asleep = groups.find(({ state }: AnswerBody) => state === 'SLEEPING');
    expect(asleep).not.toHaveProperty('host');
  });

  it('counts what the caller sees', async () => {
    await sample();
    expect((await get('/workflows/counts?by=name', 'scoped')).body.groups).toMatchObject([{ name: 'slow', count: 1 }]);
    expect((await get('/workflows/counts?by=name')).body.groups).toHaveLength(3);
  });

  it('refuses what it does not count by, and more than four fields', async () => {
    expect((await get('/workflows/counts?by=payload')).status).toBe(400);
    expect((await get('/workflows/counts?by=name&by=version&by=status&by=reason&by=host')).status).toBe(400);
  });
});
