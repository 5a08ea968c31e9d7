import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const call = (path: string) => ({ url: `http://shop.example/${path}`, verb: 'POST' });

const loop = (body: readonly object[], more: object = {}) => ({
  name: 'batch',
  version: '1',
  failureHandling: once,
  compensationHandling: once,
  entrypoint: 'each',
  nodes: [
    { kind: 'forEach', id: 'each', items: '{{payload.items}}', entry: 'pay', maxConcurrency: 2, ...more },
    ...body,
  ],
});

const pay = {
  kind: 'task',
  id: 'pay',
  action: { mode: 'sync', request: call('pay/{{item}}') },
  compensation: call('refund/{{item}}'),
};
const asked = {
  ...pay,
  action: {
    mode: 'async',
    request: { ...call('pay/{{item}}'), body: '{{runtime.callback.signedUrl}}' },
    callback: { timeoutMillis: 60_000 },
  },
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const post = (path: string, payload: object = {}) =>
  api.server.inject({ method: 'POST', url: `/workflows/${path}`, payload });
const get = async (path: string): Promise<AnswerBody> => (await api.server.inject(`/workflows/${path}`)).json();

describe('an execution with a forEach', () => {
  it('tells the items that run and how many have ended', async () => {
    const id = await api.run(loop([asked]), { payload: { items: ['a', 'b', 'c'] } });
    await api.drive(id, () => response(202));
    expect(await get(id)).toMatchObject({
      status: 'WAITING_CALLBACK',
      currentNodes: [
        { nodeId: 'each', state: 'JOINING', detail: '0 of 3' },
        { nodeId: 'pay', visit: 1, item: [0], state: 'WAITING_CALLBACK' },
        { nodeId: 'pay', visit: 2, item: [1], state: 'WAITING_CALLBACK' },
      ],
    });
  });

  it('is resolved and woken by the place of the item', async () => {
    const id = await api.run(loop([asked]), { payload: { items: ['a', 'b'] } });
    await api.drive(id, () => response(202));
    const settled = { nodeId: 'pay', phase: 'UP', outcome: 'succeeded', reason: 'by hand' };
    const vague = await post(`${id}/resolve`, settled);
    expect([vague.statusCode, vague.json().errors]).toEqual([
      409,
      ['Several visits of the node pay wait: name one by visit or item. They are 1 (item 0), 2 (item 1).'],
    ]);
    expect((await post(`${id}/resolve`, { ...settled, visit: 1, item: 1 })).statusCode).toBe(409);
    expect((await post(`${id}/resolve`, { ...settled, item: 1 })).statusCode).toBe(202);
    await api.drive(id, () => response(202));
    expect(await get(id)).toMatchObject({ currentNodes: [{ detail: '1 of 2' }, { item: [0] }] });
    expect((await post(`${id}/resolve`, { ...settled, item: [0] })).statusCode).toBe(202);
    await api.drive(id);
    expect(await get(id)).toMatchObject({ status: 'SUCCEEDED', result: { count: 2, failed: 0 } });
  });

  it('wakes one item alone', async () => {
    const nap = { kind: 'sleep', id: 'pay', durationMillis: 600_000 };
    const id = await api.run(loop([nap]), { payload: { items: ['a', 'b'] } });
    await api.drive(id);
    expect((await post(`${id}/wake`, { item: 2 })).statusCode).toBe(409);
    expect((await post(`${id}/wake`, { item: 1 })).statusCode).toBe(202);
    await api.drive(id);
    expect(await get(id)).toMatchObject({ status: 'SLEEPING', currentNodes: [{ detail: '1 of 2' }, { item: [0] }] });
  });

  it('has the item in every row, call, effect and preview, and in the failure', async () => {
    const id = await api.run(
      loop(
        [
          { ...pay, next: 'ship' },
          { ...pay, id: 'ship', action: { mode: 'sync', request: call('ship/{{item}}') } },
        ],
        { maxConcurrency: 1 },
      ),
      { payload: { items: ['a', 'b'] } },
    );
    let ships = 0;
    await api.drive(id, ({ nodeId, phase }) => {
      if (phase === 'DOWN') return response(nodeId === 'ship' ? 500 : 200);
      return response(nodeId === 'ship' && ships++ === 1 ? 409 : 200);
    });
    const document = await get(id);
    expect(document).toMatchObject({ status: 'CORRUPTED', failedNodeId: 'ship', failedItem: [1] });
    expect(document['standing']).toMatchObject([{ nodeId: 'ship', item: [0], outcome: 'succeeded' }]);
    expect(document['compensations']).toMatchObject([
      { nodeId: 'pay', item: [0] },
      { nodeId: 'ship', item: [0], state: 'FAILED' },
      { nodeId: 'pay', item: [1] },
    ]);
    const steps = await get(`${id}/steps`);
    expect(steps).toMatchObject([
      { stepName: 'each', phase: 'FOREACH', responseBody: { count: 2 } },
      { stepName: 'pay', item: [0] },
      { stepName: 'ship', item: [0] },
      { stepName: 'pay', item: [1] },
      { stepName: 'ship', item: [1], outcome: 'rejected' },
      { stepName: 'each', phase: 'FOREACH', outcome: 'rejected' },
      { stepName: 'pay', phase: 'DOWN', item: [1] },
      { stepName: 'ship', phase: 'DOWN', item: [0] },
      { stepName: 'pay', phase: 'DOWN', item: [0] },
    ]);
    const calls = (await get(`${id}/steps/calls`)) as unknown as readonly AnswerBody[];
    expect(calls.map(({ stepName, item }) => [stepName, item])).toEqual([
      ['pay', [0]],
      ['ship', [0]],
      ['pay', [1]],
      ['ship', [1]],
      ['pay', [1]],
      ['ship', [0]],
      ['pay', [0]],
    ]);
    expect(await get(`${id}/retry-preview`)).toMatchObject([
      { nodeId: 'ship', item: [0], url: 'http://shop.example/refund/a' },
    ]);
  });

  it('keeps the outputs of its items apart after a load', async () => {
    const collect = '{{item}} {{nodes.pay.visit}} {{nodes.pay.response.body.by}}';
    const id = await api.run(loop([asked], { collect }), { payload: { items: ['a', 'b'] } });
    await api.drive(id, () => response(202));
    const settled = { nodeId: 'pay', phase: 'UP', outcome: 'succeeded', reason: 'by hand' };
    // Each drive loads the execution from the store; the second item ends first.
    for (const item of [1, 0]) {
      await post(`${id}/resolve`, { ...settled, item, body: { by: `hand ${String(item)}` } });
      await api.drive(id);
    }
    expect(await get(id)).toMatchObject({ result: { items: [{ result: 'a 1 hand 0' }, { result: 'b 2 hand 1' }] } });
  });
});
