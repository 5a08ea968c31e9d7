/** Stored definitions over a real socket. */
import { describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const ids = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
const base = '/workflows/definitions';

describe('a definition', () => {
  it('is stored once: identical again is 200, other content 409', async () => {
    const definition = stage.saga('crud').linear(['a'], { description: 'x', 'x-note': [1.0] });
    const first = await stage.ask('POST', base, definition);
    expect(first).toMatchObject({
      status: 200,
      body: { name: 'crud', version: '1', definition, warnings: expect.any(Array) },
    });
    const again = await stage.ask('POST', base, definition);
    expect([again.status, again.body.id]).toEqual([200, first.body.id]);
    const other = await stage.ask('POST', base, { ...definition, description: 'y' });
    expect(other).toMatchObject({ status: 409, body: { code: 'definition_conflict' } });
    const { warnings: _warnings, ...record } = first.body;
    expect((await stage.ask('GET', `${base}/${record.id}`)).body).toEqual(record);
    expect((await stage.ask('GET', `${base}/crud/1`)).body).toEqual(record);
    expect((await stage.ask('GET', `${base}/crud/latest`)).body).toEqual(record);
    expect(Object.keys(record).toSorted()).toEqual([
      'createdAt',
      'definition',
      'hash',
      'id',
      'name',
      'updatedAt',
      'version',
    ]);
  });

  it('may be put under an id: again 200, the id or the name with other content 409', async () => {
    const definition = stage.saga('put').linear(['a']);
    expect(await stage.ask('PUT', `${base}/${ids[0]}`, definition)).toMatchObject({
      status: 200,
      body: { id: ids[0] },
    });
    expect(await stage.ask('PUT', `${base}/${ids[0]}`, definition)).toMatchObject({
      status: 200,
      body: { id: ids[0] },
    });
    expect((await stage.ask('PUT', `${base}/${ids[0]}`, stage.saga('put-2').linear(['a']))).status).toBe(409);
    expect((await stage.ask('PUT', `${base}/${ids[1]}`, { ...definition, description: 'z' })).status).toBe(409);
    expect(await stage.ask('PUT', `${base}/${ids[1]}`, definition)).toMatchObject({
      status: 409,
      body: { code: 'definition_conflict', errors: [`The same definition is stored under the id ${ids[0]}.`] },
    });
    expect((await stage.ask('PUT', `${base}/x`, definition)).status).toBe(400);
  });

  it('goes for good, and is 404 then; deleting it again is 204', async () => {
    const { body } = await stage.ask('POST', base, stage.saga('goes').linear(['a']));
    for (let n = 0; n < 2; n++) {
      expect(await stage.ask('DELETE', `/sagas/definitions/${body.id}`)).toMatchObject({ status: 204, text: '' });
    }
    expect((await stage.ask('GET', `${base}/${body.id}`)).status).toBe(404);
    expect((await stage.ask('GET', `${base}/goes/1`)).status).toBe(404);
    expect((await stage.ask('GET', `${base}/goes/latest`)).status).toBe(404);
  });

  it('is listed, newest first, by pages', async () => {
    const found: string[] = [];
    for (const version of ['1', '2', '3']) {
      found.unshift((await stage.ask('POST', base, stage.saga('paged').linear(['a'], { version }))).body.id);
    }
    const first = await stage.ask('GET', `${base}?limit=2`);
    expect(first.body.map(({ id }: { id: string }) => id)).toEqual(found.slice(0, 2));
    const cursor = encodeURIComponent(first.headers.get('x-next-cursor') ?? '');
    const second = await stage.ask('GET', `${base}?limit=1&cursor=${cursor}`);
    expect(second.body.map(({ id }: { id: string }) => id)).toEqual(found.slice(2));
    expect((await stage.ask('GET', `${base}?limit=x`)).status).toBe(400);
  });

  it('is validated without being stored: every problem at once', async () => {
    const broken = {
      name: '',
      version: 'latest',
      steps: [{ name: 'a', up: { url: 'nowhere', verb: 'FETCH' } }],
      nope: 1,
    };
    const { status, body } = await stage.ask('POST', `${base}/validate`, broken);
    expect([status, body.valid, body.warnings]).toEqual([200, false, []]);
    expect(body.errors.length).toBeGreaterThanOrEqual(5);
    for (const error of body.errors) expect(error).toMatch(/^[\w.[\]$"]+: .+[.?]$/);
    const good = stage.saga('good').linear(['a', 'b'], { compensationHandling: null });
    expect((await stage.ask('POST', `${base}/validate`, good)).body).toEqual({ valid: true, errors: [], warnings: [] });
    expect((await stage.ask('GET', `${base}/good/1`)).status).toBe(404);
    // What is wrong with a definition is the same for every caller.
    expect((await stage.ask('POST', base, broken)).body.errors).toEqual(body.errors);
  });
});
