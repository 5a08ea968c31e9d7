import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';

const call = { url: 'http://shop.example/x', verb: 'POST' };
const order = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 3, delayMillis: 600_000 },
  steps: [{ name: 'pay', up: call }],
};
const sleeper = {
  name: 'sleeper',
  version: '1',
  entrypoint: 's',
  nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

async function post(url: string, payload: object): Promise<{ status: number; body: AnswerBody }> {
  const answer = await api.server.inject({ method: 'POST', url, headers: { host: 'localhost' }, payload });
  return { status: answer.statusCode, body: answer.json() };
}

async function backingOff(): Promise<string> {
  const id = await api.run(order);
  await api.drive(id, () => response(503));
  return id;
}

it('makes the next attempt now where it is asked to, and says how many waits end', async () => {
  const id = await backingOff();
  const sleepsNot = await post(`/workflows/${id}/wake`, {});
  expect([sleepsNot.status, sleepsNot.body.errors]).toEqual([
    409,
    ['Nothing in the execution sleeps: pay waits for its next attempt.'],
  ]);
  const elsewhere = await post(`/workflows/${id}/wake`, { what: ['retry', 'blocked'], nodeId: 'ship' });
  expect([elsewhere.status, elsewhere.body.errors[0]]).toEqual([
    409,
    'Nothing at the node ship waits for its next attempt or is blocked: pay waits for its next attempt.',
  ]);
  const woken = await post(`/workflows/${id}/wake`, { what: ['retry'], nodeId: 'pay' });
  expect([woken.status, woken.body]).toEqual([202, { id, status: 'WAKING', woken: 1 }]);
  await api.drive(id);
  expect((await api.server.inject({ url: `/workflows/${id}`, headers: { host: 'localhost' } })).json().status).toBe(
    'SUCCEEDED',
  );
});

it('ends sleeps without a word', async () => {
  const id = await api.run(sleeper);
  await api.drive(id);
  expect((await post(`/workflows/${id}/wake`, { nodeId: 'x' })).status).toBe(409);
  expect((await post(`/workflows/${id}/wake`, { what: null, nodeId: 's' })).body).toMatchObject({ woken: 1 });
  const later = await api.run(sleeper, { startAt: '2031-01-01T00:00:00Z' });
  expect((await post(`/workflows/${later}/wake`, { what: ['retry'] })).status).toBe(409);
  expect((await post(`/workflows/${later}/wake`, {})).body).toMatchObject({ woken: 1 });
});

it.each([[[]], [['retry', 'later']], ['retry'], [{}]])('refuses to wake %j', async (what) => {
  const id = await backingOff();
  const answer = await post(`/workflows/${id}/wake`, { what });
  expect([answer.status, answer.body.errors[0]]).toEqual([400, expect.stringMatching(/^what/)]);
});

it('works in bulk, where it looks at runs that call', async () => {
  const id = await backingOff();
  const asleep = await api.run(sleeper);
  await api.drive(asleep);
  const request = { action: 'wake', filter: {}, dryRun: false };
  expect((await post('/workflows/bulk', { ...request, what: ['retry'] })).body).toMatchObject({ done: 1, ids: [id] });
  expect((await post('/workflows/bulk', { ...request, dryRun: true })).body.ids).toEqual([asleep]);
  const all = await post('/workflows/bulk', { ...request, what: ['sleep', 'retry'], dryRun: true });
  expect(all.body.ids.toSorted()).toEqual([id, asleep].toSorted());
  const cancel = await post('/workflows/bulk', { ...request, action: 'cancel', what: ['retry'] });
  expect([cancel.status, cancel.body.errors]).toEqual([400, ['what: Only a wake has it.']]);
});
