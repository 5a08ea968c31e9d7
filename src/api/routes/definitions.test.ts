import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, secretValue } from '../../../test/api-fixture.ts';

const definition = {
  name: 'order',
  version: '1',
  steps: [
    { name: 'reserve', up: { url: 'http://shop.example/reserve', verb: 'POST' } },
    { name: 'pay', up: { url: 'http://shop.example/pay', verb: 'POST' } },
  ],
};
const id = '018f4c7e-0000-7000-8000-0000000000aa';

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const send = (method: 'POST' | 'PUT' | 'DELETE', path: string, payload?: object) =>
  api.server.inject({ method, url: `/workflows/definitions${path}`, ...(payload !== undefined && { payload }) });
const get = (path: string) => api.server.inject(`/workflows/definitions${path}`);

describe('definitions', () => {
  it('are stored, with warnings', async () => {
    const answer = await send('POST', '', definition);
    expect(answer.statusCode).toBe(200);
    const record = answer.json();
    expect(record).toMatchObject({ name: 'order', version: '1', definition, createdAt: '2030-01-01T00:00:00.000Z' });
    expect(record.warnings).toEqual([expect.stringContaining('steps[0]')]);
    const { warnings: _warnings, ...stored } = record;
    expect((await get(`/${record.id}`)).json()).toEqual(stored);
    expect((await get('/order/1')).json()).toEqual(stored);
    expect((await get('/order/latest')).json()).toEqual(stored);
    expect((await get('')).json()).toEqual([stored]);
  });

  it('are found by their names, and listed without themselves', async () => {
    const labels = { team: 'a' };
    for (const [name, version] of [
      ['order', '1'],
      ['Order-Fast', '1'],
      ['refund', '1'],
      ['order', '2'],
    ] as const) {
      api.now += 1000;
      const given = { ...definition, name, version, description: `About ${secretValue}`, labels };
      expect((await send('POST', '', given)).statusCode).toBe(200);
    }
    const found = async (query: string): Promise<string[]> =>
      (await get(`?${query}`)).json<{ name: string; version: string }[]>().map((one) => `${one.name} ${one.version}`);
    expect(await found('q=ORDER')).toEqual(['order 2', 'Order-Fast 1', 'order 1']);
    expect(await found('name=order&name=refund')).toEqual(['order 2', 'refund 1', 'order 1']);
    expect(await found('name=order&q=fast')).toEqual([]);
    const page = await get('?q=order&limit=2&view=summary');
    expect(page.json()).toHaveLength(2);
    const rest = await get(`?q=order&limit=2&view=summary&cursor=${String(page.headers['x-next-cursor'])}`);
    const { id: stored, hash } = (await get('/order/1')).json<{ id: string; hash: string }>();
    expect(rest.json()).toEqual([
      {
        id: stored,
        name: 'order',
        version: '1',
        hash,
        createdAt: '2030-01-01T00:00:01.000Z',
        updatedAt: '2030-01-01T00:00:01.000Z',
        description: 'About ***',
        labels,
        nodes: 2,
        bytes: expect.any(Number),
      },
    ]);
    expect((await get('?view=whole')).statusCode).toBe(400);
  });

  it('are listed by their names, with what runs of each', async () => {
    for (const version of ['1', '2']) {
      api.now += 1000;
      await send('POST', '', { ...definition, version });
    }
    const refund = (await send('POST', '', { ...definition, name: 'refund' })).json<{ id: string }>();
    const running = await api.run({ ...definition, version: '1' });
    await api.drive(await api.run({ ...definition, version: '2' }));
    expect(running).not.toBe('');
    expect((await get('/names')).json()).toEqual([
      {
        name: 'order',
        versions: 2,
        latest: { version: '2', id: expect.any(String), createdAt: '2030-01-01T00:00:02.000Z' },
        running: 1,
        runningExact: true,
      },
      {
        name: 'refund',
        versions: 1,
        latest: { version: '1', id: refund.id, createdAt: '2030-01-01T00:00:02.000Z' },
        running: 0,
        runningExact: true,
      },
    ]);
    const page = await get('/names?limit=1&order=desc');
    expect(page.json()).toMatchObject([{ name: 'refund' }]);
    expect(
      (await get(`/names?limit=1&order=desc&cursor=${String(page.headers['x-next-cursor'])}`)).json(),
    ).toMatchObject([{ name: 'order' }]);
  });

  it('keep their digits', async () => {
    const text = JSON.stringify(definition).replace('"version":"1"', '"version":"1","x-limit":10.10');
    await api.server.inject({
      method: 'POST',
      url: '/workflows/definitions',
      payload: text,
      headers: { 'content-type': 'application/json' },
    });
    expect((await get('/order/1')).body).toContain('"x-limit":10.10');
  });

  it('show no secret that was written into them, and neither do errors about them', async () => {
    const headers = { 'X-Key': `key ${secretValue}` };
    const [step] = definition.steps;
    const told = [
      await send('POST', '', { ...definition, steps: [{ ...step, up: { ...step?.up, headers } }] }),
      await get(''),
      await get('/order/1'),
    ];
    for (const answer of told) {
      expect(answer.statusCode).toBe(200);
      expect(answer.body).toContain('"X-Key":"key ***"');
      expect(answer.body).not.toContain(secretValue);
    }
    const wrong = { ...definition, [secretValue]: 1, steps: [{ name: secretValue }, { name: secretValue }] };
    for (const path of ['', '/validate']) {
      const answer = await send('POST', path, wrong);
      expect(answer.json().errors.join()).toContain('***');
      expect(answer.body).not.toContain(secretValue);
    }
  });

  it('never change', async () => {
    const first = (await send('POST', '', definition)).json();
    const same = await send('POST', '', { ...definition });
    expect([same.statusCode, same.json().id]).toEqual([200, first.id]);
    const changed = await send('POST', '', { ...definition, description: 'other' });
    expect([changed.statusCode, changed.json().code]).toEqual([409, 'definition_conflict']);
    expect(changed.json().errors).toEqual([
      'Another definition is stored as "order", version "1"; definitions never change, so give this one a new version.',
    ]);
  });

  it('may be given an id', async () => {
    expect((await send('PUT', `/${id}`, definition)).json().id).toBe(id);
    expect((await send('PUT', `/${id}`, definition)).statusCode).toBe(200);
    const other = await send('PUT', `/${id}`, { ...definition, version: '2' });
    expect([other.statusCode, other.json().errors]).toEqual([409, [`Another definition has the id ${id}.`]]);
  });

  it('go, also when they are gone', async () => {
    await send('PUT', `/${id}`, definition);
    expect((await send('DELETE', `/${id}`)).statusCode).toBe(204);
    expect((await send('DELETE', `/${id}`)).statusCode).toBe(204);
    expect((await get(`/${id}`)).statusCode).toBe(404);
    expect((await get('/order/1')).json().code).toBe('unknown_definition');
  });

  it('are listed by pages', async () => {
    for (const version of ['1', '2', '3']) {
      await send('POST', '', { ...definition, version });
      api.now += 1000;
    }
    const first = await get('?limit=2');
    expect(first.json().map(({ version }: { version: string }) => version)).toEqual(['3', '2']);
    const second = await get(`?limit=2&cursor=${encodeURIComponent(String(first.headers['x-next-cursor']))}`);
    expect(second.json().map(({ version }: { version: string }) => version)).toEqual(['1']);
    expect(second.headers).not.toHaveProperty('x-next-cursor');
  });

  it('are checked without being stored', async () => {
    expect((await send('POST', '/validate', definition)).json()).toMatchObject({ valid: true, errors: [] });
    const bad = await send('POST', '/validate', { name: 'x' });
    expect(bad.statusCode).toBe(200);
    expect(bad.json().valid).toBe(false);
    expect(bad.json().errors.length).toBeGreaterThan(0);
    expect((await send('POST', '/validate', [])).json().valid).toBe(false);
    expect((await get('')).json()).toEqual([]);
  });
});
