import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../test/api-fixture.ts';
import { summarize } from '../core/summary.ts';
import { apiKeyOf, authenticatorOf } from '../../test/credentials.ts';

/** A definition that calls `call` and then starts others. */
function starting(name: string, ...names: readonly string[]): object {
  const call = {
    kind: 'task',
    id: 'call',
    action: { mode: 'sync', request: { url: 'http://shop.example/call', verb: 'POST' } },
    uncompensated: true,
    ...(names.length > 0 && { next: 'start-0' }),
  };
  const starts = names.map((other, i) => ({
    kind: 'workflow',
    id: `start-${String(i)}`,
    definition: { name: other, version: i % 2 === 0 ? 'latest' : '1' },
    ...(i + 1 < names.length && { next: `start-${String(i + 1)}` }),
  }));
  const failureHandling = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
  return { name, version: '1', entrypoint: 'call', failureHandling, nodes: [call, ...starts] };
}

let api: ApiFixture;
const as = (caller: string) => async (url: string, payload: object) => {
  const headers = { 'x-api-key': apiKeyOf(caller) };
  const answer = await api.server.inject({ method: 'POST', url, headers, payload });
  return { status: answer.statusCode, body: answer.json(), text: answer.body };
};
const limited = as('limited');
const admin = as('admin');

beforeEach(async () => {
  const authenticator = authenticatorOf({
    admin: ['admin'],
    limited: { roles: ['admin'], definitions: ['order', 'ship*'] },
  });
  api = await new ApiFixture({ authenticator }).open();
});
afterEach(() => api.close());

const store = async (definition: object): Promise<void> => {
  expect((await admin('/workflows/definitions', definition)).status).toBeLessThan(300);
};
const runStored = '/workflows/definitions/order/1/run';

describe('a caller that is limited to some definitions', () => {
  it('starts what starts no others than these', async () => {
    await store(starting('shipping', 'ship-box'));
    await store(starting('order', 'shipping', 'ship-later'));
    const { status, body } = await limited(runStored, {});
    expect(status).toBe(200);
    // What the family may start later is bounded by who started its root.
    expect((await api.stateOf(body.id)).scope).toEqual(['order', 'ship*']);
    expect((await limited('/workflows/run', { definition: starting('order', 'shipping') })).status).toBe(200);
    const unlimited = (await admin(runStored, {})).body.id;
    expect(await api.stateOf(unlimited)).not.toHaveProperty('scope');
    const lone = (await limited('/workflows/run', { definition: starting('order') })).body.id;
    expect(await api.stateOf(lone)).not.toHaveProperty('scope');
  });

  it.each([
    ['itself', [starting('order', 'shipping', 'pay')]],
    [
      'through what is stored below it',
      [starting('shipping', 'ship-box'), starting('ship-box', 'pay'), starting('order', 'shipping')],
    ],
    ['through one that starts itself', [starting('shipping', 'order', 'pay'), starting('order', 'shipping')]],
  ])('cannot start what starts another one %s', async (_title, definitions) => {
    for (const definition of definitions) await store(definition);
    const answers = [await limited(runStored, {}), await limited('/workflows/run', { definition: definitions.at(-1) })];
    for (const { status, body, text } of answers) {
      expect([status, body.code]).toEqual([403, 'forbidden']);
      expect(text).not.toContain('pay');
    }
    expect((await api.store.listExecutions({}, { limit: 9 })).items).toEqual([]);
    expect((await admin(runStored, {})).status).toBe(200);
  });

  it('stores definitions that start others', async () => {
    expect((await limited('/workflows/definitions', starting('order', 'pay'))).status).toBe(200);
  });

  it('cannot retry or undo what starts another one', async () => {
    await store(starting('order', 'pay'));
    const failed = (await admin(runStored, {})).body.id;
    await api.drive(failed, () => response(400));
    const retried = await limited(`/workflows/${failed}/retry`, {});
    expect([retried.status, retried.body.code]).toEqual([403, 'forbidden']);
    const filter = { status: ['FAILED'] };
    const many = await limited('/workflows/bulk', { action: 'retry', filter, dryRun: false });
    expect(many.body).toMatchObject({ matched: 1, done: 0, errors: [{ id: failed, code: 'forbidden' }] });
    for (const { text } of [retried, many]) expect(text).not.toContain('pay');
    expect((await admin(`/workflows/${failed}/retry`, {})).status).toBe(202);
  });

  it('cannot undo what started another one', async () => {
    await store(starting('order', 'pay'));
    const { id } = (await admin(runStored, {})).body;
    const detail = (await api.store.getExecution(id))!;
    await api.store.takeOver([{ id, claim: 'c' }], api.now);
    const end = { status: 'SUCCEEDED', at: api.now } as const;
    const state = { ...detail.state, tokens: [], end };
    const over = { state, summary: summarize(state), dueAt: null, progress: true, steps: [], calls: [], undo: [] };
    await api.store.checkpoint([{ id, claim: 'c', seq: 1, consumed: [], ...over }]);
    const undone = await limited(`/workflows/${id}/undo`, { reason: 'wrong' });
    expect([undone.status, undone.body.code]).toEqual([403, 'forbidden']);
    expect((await admin(`/workflows/${id}/undo`, { reason: 'wrong' })).body.code).toBe('nothing_to_undo');
  });
});
