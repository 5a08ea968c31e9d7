import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const prefix = '/workflows/definitions';

async function put(path: string, payload?: object): Promise<string> {
  const definition = {
    name: 'order',
    version: '1',
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    ...payload,
    steps: [{ name: 'reserve', up: { url: `http://shop.example/${path}`, verb: 'POST' } }],
  };
  const answer = await api.server.inject({ method: 'POST', url: prefix, payload: definition });
  expect(answer.statusCode).toBe(200);
  return answer.json().id;
}

const run = (payload: object = {}, headers: Record<string, string> = {}) =>
  api.server.inject({ method: 'POST', url: `${prefix}/order/1/run`, payload, headers });

const hashOf = async (id: string): Promise<string | undefined> => (await api.store.getExecution(id))?.definitionHash;

describe('a start of a stored definition', () => {
  it('reads the definition only the first time', async () => {
    await put('a');
    const reads = vi.spyOn(api.store, 'getDefinition');
    for (let i = 0; i < 3; i++) expect((await run()).statusCode).toBe(200);
    expect(reads).toHaveBeenCalledTimes(1);
  });

  it('is refused once the definition was removed, by any process', async () => {
    const id = await put('a');
    expect((await run({}, { 'idempotency-key': 'k' })).statusCode).toBe(200);
    await api.store.deleteDefinition(id);
    for (const headers of [{}, { 'idempotency-key': 'k' }, { 'idempotency-key': 'other' }]) {
      const answer = await run({}, headers);
      expect([answer.statusCode, answer.json().code]).toEqual([404, 'unknown_definition']);
    }
    expect((await api.store.listExecutions({}, { limit: 5 })).items).toHaveLength(1);
  });

  it('runs what is stored now, under the same name and version', async () => {
    const id = await put('a');
    const first = await hashOf((await run()).json().id);
    await api.store.deleteDefinition(id);
    await put('b');
    const second = await hashOf((await run()).json().id);
    expect(second).not.toBe(first);
    expect(await hashOf((await run()).json().id)).toBe(second);
  });

  it('asks for the payload that the definition of now requires', async () => {
    const id = await put('a', { requiredPayload: ['customer'] });
    expect((await run({ payload: { customer: 1 } })).statusCode).toBe(200);
    await api.store.deleteDefinition(id);
    await put('a', { requiredPayload: ['order'] });
    expect((await run({ payload: { customer: 1 } })).json().errors).toEqual([
      expect.stringContaining('payload.order') as string,
    ]);
    const refused = await run();
    expect([refused.statusCode, refused.json().code]).toEqual([400, 'invalid_payload']);
    expect((await run({ payload: { order: 1 } })).statusCode).toBe(200);
  });
});
