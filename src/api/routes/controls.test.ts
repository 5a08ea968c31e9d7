import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';

const call = (name: string) => ({ url: `http://shop.example/${name}`, verb: 'POST' });
const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const definition = {
  name: 'order',
  version: '1',
  failureHandling: once,
  compensationHandling: once,
  steps: [
    { name: 'reserve', up: call('reserve'), down: call('reserve-undo') },
    { name: 'pay', up: call('pay'), down: call('pay-undo') },
  ],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const post = (path: string, body?: object) =>
  api.server.inject({ method: 'POST', url: `/workflows/${path}`, ...(body !== undefined && { payload: body }) });
const statusOf = async (id: string): Promise<AnswerBody> => (await api.server.inject(`/workflows/${id}`)).json();

async function run(answers: Record<string, number> = {}): Promise<string> {
  const id = await api.run(definition);
  await api.drive(id, ({ nodeId, phase }) => response(answers[`${nodeId} ${phase}`] ?? 200));
  return id;
}

describe('cancel', () => {
  it('compensates, and is taken again while it is pending', async () => {
    const id = await api.run(definition);
    const first = await post(`${id}/cancel`, { reason: 'changed my mind' });
    expect([first.statusCode, first.json()]).toEqual([202, { id, status: 'CANCELLING' }]);
    expect((await post(`${id}/cancel`)).statusCode).toBe(202);
    expect(api.rings).toEqual([id, id]);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({
      status: 'CANCELLED',
      reason: 'cancelled',
      failureDescription: 'Cancelled: changed my mind',
    });
    const late = await post(`${id}/cancel`);
    expect([late.statusCode, late.json().code]).toEqual([409, 'state_conflict']);
  });
});

describe('terminate', () => {
  it('ends at once', async () => {
    const id = await api.run(definition);
    expect((await post(`${id}/terminate`)).statusCode).toBe(202);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({ status: 'TERMINATED', retryable: false });
    expect((await post(`${id}/terminate`)).statusCode).toBe(409);
  });
});

describe('wake', () => {
  it('starts before startAt, once', async () => {
    const id = await api.run(definition, { startAt: '2040-01-01T00:00:00Z' });
    expect((await post(`${id}/wake`)).statusCode).toBe(202);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await post(`${id}/wake`)).statusCode).toBe(409);
  });
});

describe('retry', () => {
  it('starts a new round of a failed execution; of two at once one is taken', async () => {
    const id = await run({ 'pay UP': 400 });
    expect(await statusOf(id)).toMatchObject({ status: 'FAILED', round: 1 });
    api.now += 5000;
    const answers = await Promise.all([post(`${id}/retry`), post(`${id}/retry`)]);
    expect(answers.map(({ statusCode }) => statusCode).sort((a, b) => a - b)).toEqual([202, 409]);
    expect(answers.find(({ statusCode }) => statusCode === 202)?.json()).toEqual({ id, status: 'REQUEUED' });
    expect(api.rings).toEqual([id]);
    expect(await statusOf(id)).toMatchObject({
      status: 'IN_PROGRESS',
      round: 2,
      startedAt: '2030-01-01T00:00:05.000Z',
    });
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
    const steps = (await api.server.inject(`/workflows/${id}/steps`)).json();
    expect(new Set(steps.map(({ round }: { round: number }) => round))).toEqual(new Set([1, 2]));
  });

  it('runs the unfinished compensations of a corrupted one again', async () => {
    const id = await run({ 'pay UP': 400, 'reserve DOWN': 500 });
    expect(await statusOf(id)).toMatchObject({ status: 'CORRUPTED' });
    expect((await post(`${id}/retry`)).statusCode).toBe(202);
    expect(await statusOf(id)).toMatchObject({
      status: 'COMPENSATING',
      round: 1,
      compensations: [{ nodeId: 'reserve', state: 'PENDING' }],
    });
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({
      status: 'FAILED',
      compensations: [{ nodeId: 'reserve', state: 'DONE' }],
      standing: [],
    });
  });

  it('wants force for a terminated one', async () => {
    const id = await api.run(definition);
    await post(`${id}/terminate`);
    await api.drive(id);
    const refused = await post(`${id}/retry`);
    expect([refused.statusCode, refused.json().errors]).toEqual([
      409,
      ['A TERMINATED execution is retried only with { "force": true }.'],
    ]);
    expect((await post(`${id}/retry`, { force: true })).statusCode).toBe(202);
  });

  it('is refused for what goes on or went well', async () => {
    const running = await api.run(definition);
    expect((await post(`${running}/retry`)).json().errors).toEqual([
      'The execution is IN_PROGRESS; only one that has ended can be retried.',
    ]);
    const good = await run();
    expect((await post(`${good}/retry`)).json().errors).toEqual(['A SUCCEEDED execution cannot be retried.']);
  });
});

describe('resolve', () => {
  const settled = { nodeId: 'reserve', phase: 'DOWN', outcome: 'succeeded', reason: 'undone by phone' };

  it('settles the last unfinished compensation and ends the execution at once', async () => {
    const id = await run({ 'pay UP': 400, 'reserve DOWN': 500 });
    const answer = await post(`${id}/resolve`, settled);
    expect([answer.statusCode, answer.json()]).toEqual([202, { id, status: 'RESOLVING' }]);
    expect(await statusOf(id)).toMatchObject({
      status: 'FAILED',
      compensations: [{ nodeId: 'reserve', state: 'RESOLVED' }],
      standing: [],
    });
    const steps = (await api.server.inject(`/workflows/${id}/steps`)).json();
    expect(steps.at(-1)).toMatchObject({ phase: 'RESOLVE', stepName: 'reserve', note: 'undone by phone' });
    expect((await post(`${id}/resolve`, settled)).statusCode).toBe(409);
  });

  it('accepts that an effect stands', async () => {
    const id = await run({ 'pay UP': 400, 'reserve DOWN': 500 });
    await post(`${id}/resolve`, { ...settled, outcome: 'failed' });
    expect(await statusOf(id)).toMatchObject({
      status: 'FAILED',
      compensations: [{ nodeId: 'reserve', state: 'RESOLVED' }],
      standing: [{ nodeId: 'reserve', visit: 1, round: 1, outcome: 'succeeded' }],
    });
  });

  it('settles a node that waits for its retry', async () => {
    const id = await api.run({
      ...(definition as object),
      failureHandling: { type: 'retry', maxAttempts: 3, delayMillis: 60_000 },
    });
    await api.drive(id, ({ nodeId }) => response(nodeId === 'reserve' ? 500 : 200));
    const body = {
      nodeId: 'reserve',
      visit: 1,
      phase: 'UP',
      outcome: 'succeeded',
      body: { id: 5 },
      reason: 'done by hand',
    };
    expect((await post(`${id}/resolve`, { ...body, visit: 2 })).statusCode).toBe(409);
    expect((await post(`${id}/resolve`, body)).statusCode).toBe(202);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('is refused where there is nothing to settle', async () => {
    const id = await run();
    expect((await post(`${id}/resolve`, settled)).json().errors).toEqual([
      'Node "reserve" has no unfinished compensation.',
    ]);
    expect((await post(`${id}/resolve`, { ...settled, phase: 'UP', visit: 3 })).json().errors).toEqual([
      'Node "reserve" (visit 3) does not wait for anything that could be settled.',
    ]);
  });
});

describe('undo', () => {
  const reason = 'the customer changed his mind';

  it('compensates a run that has succeeded, and ends it as CANCELLED', async () => {
    const id = await run();
    const before = await statusOf(id);
    const preview = await api.server.inject(`/workflows/${id}/undo-preview`);
    expect(preview.json()).toMatchObject([{ nodeId: 'pay' }, { nodeId: 'reserve' }]);

    const answer = await post(`${id}/undo`, { reason });
    expect([answer.statusCode, answer.json()]).toEqual([202, { id, status: 'UNDOING' }]);
    expect(await statusOf(id)).toMatchObject({ status: 'COMPENSATING', round: 1 });
    expect((await post(`${id}/cancel`)).statusCode).toBe(409);
    const calls: string[] = [];
    await api.drive(id, ({ nodeId, phase }) => {
      calls.push(`${nodeId} ${phase}`);
      return response(200);
    });
    expect(calls).toEqual(['pay DOWN', 'reserve DOWN']);
    expect(await statusOf(id)).toMatchObject({
      status: 'CANCELLED',
      reason: 'undone',
      failureDescription: reason,
      round: 1,
      result: before['result'],
      standing: [],
      retryable: true,
    });
    // A retry is a new round.
    expect((await post(`${id}/retry`)).statusCode).toBe(202);
    expect(await statusOf(id)).toMatchObject({ status: 'IN_PROGRESS', round: 2 });
  });

  it('ends CORRUPTED where a compensation fails, and CANCELLED once that is settled', async () => {
    const id = await run();
    await post(`${id}/undo`, { reason });
    await api.drive(id, ({ nodeId }) => response(nodeId === 'pay' ? 500 : 200));
    expect(await statusOf(id)).toMatchObject({ status: 'CORRUPTED', reason: 'compensation' });
    expect((await post(`${id}/undo`, { reason })).statusCode).toBe(409);
    const settled = { nodeId: 'pay', phase: 'DOWN', outcome: 'succeeded', reason: 'by hand' };
    expect((await post(`${id}/resolve`, settled)).statusCode).toBe(202);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({ status: 'CANCELLED', reason: 'undone' });
  });

  it('can be terminated, with what is left standing', async () => {
    const id = await run();
    await post(`${id}/undo`, { reason });
    expect((await post(`${id}/terminate`)).statusCode).toBe(202);
    await api.drive(id);
    expect(await statusOf(id)).toMatchObject({
      status: 'TERMINATED',
      standing: [{ nodeId: 'reserve' }, { nodeId: 'pay' }],
    });
  });

  it('is taken once of two at the same time, and once for all', async () => {
    const id = await run();
    const both = await Promise.all([post(`${id}/undo`, { reason }), post(`${id}/undo`, { reason })]);
    expect(new Set(both.map(({ statusCode }) => statusCode))).toEqual(new Set([202, 409]));
    await api.drive(id);
    expect((await post(`${id}/undo`, { reason })).statusCode).toBe(409);
  });

  it('is refused where there is nothing to undo', async () => {
    const bare = { ...definition, name: 'bare', steps: [{ name: 'pay', up: call('pay'), uncompensated: true }] };
    const id = await api.run(bare);
    await api.drive(id);
    const answer = await post(`${id}/undo`, { reason });
    expect([answer.statusCode, answer.json().code]).toEqual([409, 'nothing_to_undo']);
    expect((await api.server.inject(`/workflows/${id}/undo-preview`)).json()).toEqual([]);
  });

  it('needs a reason and a run that has succeeded', async () => {
    const id = await run({ 'pay UP': 409 });
    expect((await post(`${id}/undo`, {})).statusCode).toBe(400);
    const answer = await post(`${id}/undo`, { reason });
    expect([answer.statusCode, answer.json().errors]).toEqual([
      409,
      ['The execution ended FAILED; only one that has SUCCEEDED can be undone.'],
    ]);
  });

  it('works on all that match, with a reason', async () => {
    const ids = [await run(), await run()];
    const bulk = (more: object) =>
      api.server.inject({ method: 'POST', url: '/workflows/bulk', payload: { action: 'undo', filter: {}, ...more } });
    expect((await bulk({ dryRun: false })).statusCode).toBe(400);
    expect((await bulk({})).json()).toMatchObject({ matched: 2, done: 0 });
    expect((await bulk({ dryRun: false, reason })).json()).toMatchObject({
      done: 2,
      ids: expect.arrayContaining(ids) as unknown,
    });
  });
});

it.each(['retry', 'cancel', 'terminate', 'wake', 'resolve'])('%s of an unknown execution is 404', async (action) => {
  const body = action === 'resolve' ? { nodeId: 'a', phase: 'UP', outcome: 'failed', reason: 'x' } : {};
  const answer = await post(`00000000-0000-7000-8000-000000000000/${action}`, body);
  expect([answer.statusCode, answer.json().code]).toEqual([404, 'unknown_execution']);
});
