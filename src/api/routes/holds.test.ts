import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture } from '../../../test/api-fixture.ts';
import { MemoryStore } from '../../../simulator/store/memory-store.ts';
import { changeHolds, maxHolds, readHolds } from '../../engine/call/gate/call-holds.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

async function ask(
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  payload?: object,
): Promise<{ status: number; body: AnswerBody }> {
  const answer = await api.server.inject({ method, url: `/holds${path}`, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? '' : answer.json() };
}

describe('holds', () => {
  it('are placed, listed, replaced and lifted', async () => {
    expect(await ask('GET', '')).toEqual({ status: 200, body: [] });
    const bank = { id: 'bank', host: 'bank.example', reason: 'down', createdAt: '2030-01-01T00:00:00.000Z' };
    expect(await ask('PUT', '/bank', { host: 'Bank.Example', reason: 'down' })).toEqual({ status: 200, body: bank });
    await ask('PUT', '/order.v2', { name: 'order', version: '2', reason: 'bad', until: '2030-01-01T10:00:00+01:00' });
    expect((await ask('GET', '')).body).toEqual([
      { ...bank, waiting: 0 },
      {
        id: 'order.v2',
        waiting: 0,
        name: 'order',
        version: '2',
        reason: 'bad',
        until: '2030-01-01T09:00:00.000Z',
        createdAt: '2030-01-01T00:00:00.000Z',
      },
    ]);
    api.now += 1_000;
    const replaced = { ...bank, reason: 'still down' };
    expect((await ask('PUT', '/bank', { host: 'bank.example', name: null, reason: 'still down' })).body).toEqual(
      replaced,
    );
    expect(await ask('GET', '/bank')).toEqual({ status: 200, body: replaced });
    expect(await ask('DELETE', '/bank')).toEqual({ status: 204, body: '' });
    expect((await ask('DELETE', '/bank')).status).toBe(204);
    const gone = await ask('GET', '/bank');
    expect([gone.status, gone.body.code]).toEqual([404, 'unknown_hold']);
    expect(api.holdChanges).toBe(5);
  });

  it('are gone when their time is over', async () => {
    await ask('PUT', '/h', { host: 'h', reason: 'r', until: '2030-01-01T00:00:10Z' });
    api.now += 10_000;
    expect((await ask('GET', '')).body).toEqual([]);
    expect((await ask('GET', '/h')).status).toBe(404);
    await ask('PUT', '/other', { host: 'h', reason: 'r' });
    expect(JSON.stringify(await api.store.getSetting('operator.holds'))).not.toContain('"h"}');
  });

  it.each([
    ['h', 'h'],
    ['H:8080', 'h:8080'],
    ['h.', 'h'],
    ['h:80', 'h:80'],
    ['10.0.0.7', '10.0.0.7'],
    ['::1', '[::1]'],
    ['[::1]:443', '[::1]:443'],
    ['bücher.example', 'xn--bcher-kva.example'],
  ])('take the host %s as %s', async (host, stored) => {
    expect((await ask('PUT', '/h', { host, reason: 'r' })).body.host).toBe(stored);
  });

  it.each([
    [{ reason: 'r' }, 'request: Must have either host or name.'],
    [{ reason: 'r', host: 'h', name: 'n' }, 'request: Must have either host or name.'],
    [{ reason: 'r', host: 'h', version: '1' }, 'version: Needs name.'],
    [{ reason: 'r', host: 'http://h/x' }, 'host: Must be a host name'],
    [{ reason: 'r', host: 'user@h' }, 'host: Must be a host name'],
    [{ reason: 'r', host: 'h:99999' }, 'host: Must be a host name'],
    [{ reason: 'r', host: '' }, 'host: Must be a host name'],
    [{ host: 'h' }, 'reason: Is required.'],
    [{ host: 'h', reason: '' }, 'reason: Must have at least 1 character.'],
    [{ host: 'h', reason: 'r', until: 'tomorrow' }, 'until: Must be an ISO 8601 time'],
    [{ host: 'h', reason: 'r', until: '2029-12-31T23:59:59Z' }, 'until: Must be in the future.'],
    [{ host: 'h', reason: 'r', hosts: [] }, 'hosts: Is not a known field.'],
  ])('are refused: %j', async (request, sentence) => {
    const { status, body } = await ask('PUT', '/h', request);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.errors[0]).toContain(sentence);
    expect((await ask('GET', '')).body).toEqual([]);
  });

  it('have ids that can stand in a path', async () => {
    for (const id of ['a b', 'ä', 'x'.repeat(129)]) {
      expect((await ask('PUT', `/${encodeURIComponent(id)}`, { host: 'h', reason: 'r' })).status).toBe(400);
    }
  });

  it('are bounded', async () => {
    await changeHolds(api.store, api.now, () =>
      Array.from({ length: maxHolds }, (_, i) => ({ id: `h${String(i)}`, host: 'h', reason: 'r', createdAt: api.now })),
    );
    const { status, body } = await ask('PUT', '/one-more', { host: 'h', reason: 'r' });
    expect([status, body.code]).toEqual([409, 'too_many_holds']);
    expect((await ask('PUT', '/h7', { host: 'other', reason: 'r' })).status).toBe(200);
  });
});

describe('changes of holds at the same time', () => {
  it('all stand', async () => {
    const store = new MemoryStore();
    await store.open();
    const hold = (id: string) => ({ id, host: 'h', reason: 'r', createdAt: 1 });
    const ids = Array.from({ length: 10 }, (_, i) => `h${String(i)}`);
    await Promise.all(ids.map((id) => changeHolds(store, 1, (holds) => [...holds, hold(id)])));
    expect((await readHolds(store, 1)).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    await store.close();
  });
});
