import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';

const call = (name: string) => ({ url: `http://shop.example/${name}`, verb: 'POST' });
const definition = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  onSuccessCallback: call('won'),
  steps: [{ name: 'a', up: call('a') }],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

/** Runs an execution to its end; its hook gets this status. */
async function ended(hookStatus: number, fields: object = {}): Promise<string> {
  const id = await api.run(definition, fields);
  await deliver(id, hookStatus);
  return id;
}

const deliver = (id: string, status: number): Promise<void> =>
  api.drive(id, ({ phase }) => response(phase === 'HOOK' ? status : 200));

const documentOf = async (id: string): Promise<AnswerBody> => (await api.server.inject(`/workflows/${id}`)).json();

async function post(path: string, payload?: object): Promise<{ status: number; body: AnswerBody }> {
  const answer = await api.server.inject({
    method: 'POST',
    url: `/workflows/${path}`,
    ...(payload !== undefined && { payload }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

const listed = async (query: string): Promise<readonly string[]> =>
  (await api.server.inject(`/workflows?${query}`)).json().map(({ id }: { id: string }) => id);

describe('the status document', () => {
  it('says what became of the hook, and nothing where there is none', async () => {
    const running = await api.run(definition);
    expect(await documentOf(running)).not.toHaveProperty('hook');
    expect((await documentOf(await ended(204))).hook).toEqual({ state: 'DELIVERED', attempts: 1 });
    expect((await documentOf(await ended(404))).hook).toEqual({ state: 'FAILED', attempts: 1 });
    const waits = await documentOf(await ended(503));
    expect(waits).toMatchObject({
      status: 'SUCCEEDED',
      callbackWarning: expect.stringContaining('onSuccessCallback'),
      hook: { state: 'PENDING', attempts: 1, nextAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    const { onSuccessCallback: _hook, ...without } = definition;
    const id = await api.run(without);
    await api.drive(id);
    expect(await documentOf(id)).not.toHaveProperty('hook');
  });
});

describe('the list', () => {
  it('has those whose hook is pending, or failed', async () => {
    const [pending, failed] = [await ended(503), await ended(404)];
    await ended(200);
    await api.run(definition);
    expect(await listed('hook=pending')).toEqual([pending]);
    expect(await listed('hook=failed&name=order')).toEqual([failed]);
    expect((await api.server.inject('/workflows?hook=maybe')).statusCode).toBe(400);
  });
});

describe('redelivery', () => {
  it('calls a hook that failed again, and rings', async () => {
    const id = await ended(404);
    expect(await post(`${id}/hook/redeliver`)).toEqual({ status: 202, body: { id, status: 'REDELIVERING' } });
    expect(api.rings).toEqual([id]);
    expect((await documentOf(id)).hook).toMatchObject({ state: 'PENDING', attempts: 1 });
    await deliver(id, 200);
    const document = await documentOf(id);
    expect(document.hook).toEqual({ state: 'DELIVERED', attempts: 2 });
    expect(document).not.toHaveProperty('callbackWarning');
  });

  it('does not wait for the time of a hook that is pending', async () => {
    const id = await ended(503);
    await deliver(id, 200);
    expect((await documentOf(id)).hook.state).toBe('PENDING');
    expect((await post(`${id}/hook/redeliver`, {})).status).toBe(202);
    await deliver(id, 200);
    expect((await documentOf(id)).hook).toEqual({ state: 'DELIVERED', attempts: 2 });
  });

  it.each([
    [
      'of what was delivered needs force',
      204,
      'The hook was delivered; it is called again only with { "force": true }.',
    ],
    [
      'of what is not over waits for the end',
      undefined,
      'The execution is IN_PROGRESS; its hook is called when it ends.',
    ],
  ])('%s', async (_what, hookStatus, sentence) => {
    const id = hookStatus === undefined ? await api.run(definition) : await ended(hookStatus);
    const { status, body } = await post(`${id}/hook/redeliver`);
    expect([status, body.code, body.errors]).toEqual([409, 'state_conflict', [sentence]]);
    if (hookStatus === undefined) return;
    expect((await post(`${id}/hook/redeliver`, { force: true })).status).toBe(202);
    expect((await documentOf(id)).hook.state).toBe('PENDING');
  });

  it('needs a hook, and an execution', async () => {
    const { onSuccessCallback: _hook, ...without } = definition;
    const id = await api.run(without);
    await api.drive(id);
    const { status, body } = await post(`${id}/hook/redeliver`);
    expect([status, body.errors]).toEqual([409, ['The execution ended SUCCEEDED without a hook to call.']]);
    expect((await post('0190aaaa-0000-7000-8000-000000000000/hook/redeliver')).status).toBe(404);
    expect((await post(`${id}/hook/redeliver`, { times: 2 })).status).toBe(400);
  });

  it('of all that match takes those that failed, unless the filter names a hook', async () => {
    const [pending, failed, other] = [
      await ended(503),
      await ended(404),
      await ended(404, { labels: { of: 'other' } }),
    ];
    await ended(200);
    const dry = await post('bulk', { action: 'redeliver', filter: {} });
    expect({ ...dry.body, ids: dry.body.ids.toSorted() }).toMatchObject({
      matched: 2,
      done: 0,
      ids: [other, failed].toSorted(),
    });
    const done = await post('bulk', { action: 'redeliver', filter: { label: 'of:other' }, dryRun: false });
    expect(done.body).toMatchObject({ matched: 1, done: 1, ids: [other], errors: [] });
    const waiting = await post('bulk', { action: 'redeliver', filter: { hook: 'pending' }, dryRun: false });
    expect(waiting.body.ids.toSorted()).toEqual([pending, other].toSorted());
    expect((await documentOf(failed)).hook.state).toBe('FAILED');
  });
});

describe('an execution whose hook is pending', () => {
  it('forgets it when it is retried', async () => {
    const failing = { ...definition, onFailureCallback: call('lost') };
    const id = await api.run(failing);
    const drive = (a: number, hook: number): Promise<void> =>
      api.drive(id, ({ phase }) => response(phase === 'HOOK' ? hook : a));
    await drive(400, 503);
    expect(await documentOf(id)).toMatchObject({ status: 'FAILED', hook: { state: 'PENDING' } });
    expect((await post(`${id}/retry`)).status).toBe(202);
    const again = await documentOf(id);
    expect(again).not.toHaveProperty('hook');
    expect(again).not.toHaveProperty('callbackWarning');
    expect(await listed('hook=pending')).toEqual([]);
    await drive(200, 200);
    expect(await documentOf(id)).toMatchObject({ status: 'SUCCEEDED', hook: { state: 'DELIVERED', attempts: 1 } });
    const steps = (await api.server.inject(`/workflows/${id}/steps`)).json();
    expect(steps.filter(({ phase }: AnswerBody) => phase === 'HOOK')).toMatchObject([
      { stepName: 'onFailureCallback', round: 1 },
      { stepName: 'onFailureCallback', round: 1, note: 'Not delivered any more, since the execution was retried.' },
      { stepName: 'onSuccessCallback', round: 2, success: true },
    ]);
  });

  it('cannot be cancelled or terminated any more', async () => {
    const id = await ended(503);
    for (const what of ['cancel', 'terminate', 'wake']) expect((await post(`${id}/${what}`)).status).toBe(409);
    expect((await documentOf(id)).hook.state).toBe('PENDING');
  });
});
