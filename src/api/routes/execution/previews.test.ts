import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response, secretValue } from '../../../../test/api-fixture.ts';

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const call = (path: string): object => ({
  url: `http://shop.example/${path}`,
  verb: 'POST',
  body: { of: '{{payload.order}}' },
});
const order = {
  name: 'order',
  version: '1',
  failureHandling: once,
  compensationHandling: once,
  entrypoint: 'pay',
  nodes: [
    {
      kind: 'task',
      id: 'pay',
      action: { mode: 'sync', request: call('pay') },
      compensation: call('refund'),
      next: 'log',
    },
    { kind: 'task', id: 'log', action: { mode: 'sync', request: call('log') }, next: 'ask' },
    {
      kind: 'task',
      id: 'ask',
      action: { mode: 'async', request: call('ask'), callback: { timeoutMillis: 3_600_000 } },
      compensation: call('unask'),
      next: 'ship',
    },
    { kind: 'task', id: 'ship', action: { mode: 'sync', request: call('ship') } },
  ],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

async function get(url: string): Promise<{ status: number; body: AnswerBody }> {
  const answer = await api.server.inject({ url, headers: { host: 'localhost' } });
  return { status: answer.statusCode, body: answer.json() };
}

const post = (url: string, payload: object = {}) =>
  api.server.inject({ method: 'POST', url, headers: { host: 'localhost' }, payload });

/** `pay` and `log` are done, `ask` waits for its callback. */
async function waiting(): Promise<string> {
  const id = await api.run(order, { payload: { order: `o ${secretValue}` } });
  await api.drive(id, ({ nodeId }) => response(nodeId === 'ask' ? 202 : 200));
  return id;
}

const told = (rows: AnswerBody): string[] =>
  rows.map(({ nodeId, verb, url, outcome }: AnswerBody) =>
    [nodeId, verb, url.replace('http://shop.example', ''), outcome].filter(Boolean).join(' '),
  );

describe('a preview as an object', () => {
  it('of a cancel tells what would be called, what would stand, and the end', async () => {
    const id = await waiting();
    const list = (await get(`/workflows/${id}/cancel-preview`)).body;
    const { body } = await get(`/workflows/${id}/cancel-preview?form=object`);
    expect(body.calls).toEqual(list);
    expect(told(body.calls)).toEqual(['ask POST /unask', 'pay POST /refund']);
    expect(told(body.stands)).toEqual(['log POST /log/UP succeeded']);
    expect([body.inFlight, body.wouldEndAs]).toEqual([[], 'CANCELLED']);
    expect(JSON.stringify(body)).not.toContain(secretValue);
    await post(`/workflows/${id}/cancel`);
    await api.drive(id);
    const { status, standing } = (await get(`/workflows/${id}`)).body;
    expect([status, standing.map(({ nodeId }: AnswerBody) => nodeId)]).toEqual(['CANCELLED', ['log']]);
  });

  it('of a terminate tells what it leaves behind, which is what then stands', async () => {
    const id = await waiting();
    const { body } = await get(`/workflows/${id}/terminate-preview`);
    expect(told(body.stands)).toEqual([
      'pay POST /pay/UP succeeded',
      'log POST /log/UP succeeded',
      'ask POST /ask/UP unknown',
    ]);
    expect([body.calls, body.inFlight, body.wouldEndAs]).toEqual([[], [], 'TERMINATED']);
    await post(`/workflows/${id}/terminate`);
    await api.drive(id);
    const { standing } = (await get(`/workflows/${id}`)).body;
    expect(standing.map(({ nodeId, outcome }: AnswerBody) => `${nodeId} ${outcome}`)).toEqual([
      'pay succeeded',
      'log succeeded',
      'ask unknown',
    ]);
    const over = await get(`/workflows/${id}/terminate-preview`);
    expect([over.status, over.body.errors]).toEqual([409, ['The execution is over: TERMINATED.']]);
    expect((await get(`/workflows/${id}/terminate-preview?form=object`)).status).toBe(400);
  });

  it('tells a call in flight, with what would undo it', async () => {
    const id = await api.run(order, { payload: { order: 'o-1' } });
    const stop = (): never => {
      throw new Error('stopped in flight');
    };
    await expect(api.drive(id, stop)).rejects.toThrow('stopped in flight');
    for (const kind of ['cancel', 'terminate']) {
      const { body } = await get(`/workflows/${id}/${kind}-preview${kind === 'cancel' ? '?form=object' : ''}`);
      expect(body.inFlight).toEqual([
        {
          nodeId: 'pay',
          visit: 1,
          attempt: 1,
          verb: 'POST',
          url: 'http://shop.example/pay',
          since: expect.any(String),
          undo: expect.objectContaining({ verb: 'POST', url: 'http://shop.example/refund' }),
        },
      ]);
      expect([body.calls, body.stands]).toEqual([[], []]);
    }
  });

  it('of a retry says that earlier keys are sent, and leaves the end open', async () => {
    const id = await waiting();
    await post(`/workflows/${id}/cancel`);
    await api.drive(id);
    const { body } = await get(`/workflows/${id}/retry-preview?form=object`);
    expect(body.calls).toMatchObject([{ nodeId: 'log', stands: true, sendsEarlierKey: true }]);
    expect([told(body.stands), body.wouldEndAs]).toEqual([['log POST /log/UP succeeded'], null]);
    expect((await get(`/workflows/${id}/retry-preview`)).body[0]).not.toHaveProperty('sendsEarlierKey');
  });

  it('of a retry of a corrupted run tells how it was to end', async () => {
    const id = await waiting();
    await post(`/workflows/${id}/cancel`);
    await api.drive(id, () => response(422));
    const { body } = await get(`/workflows/${id}/retry-preview?form=object`);
    expect(told(body.calls)).toEqual(['ask POST /unask', 'pay POST /refund']);
    expect([told(body.stands), body.wouldEndAs]).toEqual([['log POST /log/UP succeeded'], 'CANCELLED']);
  });

  it('of an undo tells what it cannot take back', async () => {
    const id = await api.run(
      { ...order, nodes: order.nodes.slice(0, 2).map((node, i) => (i === 1 ? { ...node, next: undefined } : node)) },
      { payload: { order: 'o' } },
    );
    await api.drive(id);
    const { body } = await get(`/workflows/${id}/undo-preview?form=object`);
    expect([told(body.calls), told(body.stands), body.wouldEndAs]).toEqual([
      ['pay POST /refund'],
      ['log POST /log/UP succeeded'],
      'CANCELLED',
    ]);
    expect((await get(`/workflows/${id}/undo-preview?form=list`)).status).toBe(400);
  });
});
