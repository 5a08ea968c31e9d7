/** Lists and histories over a real socket: filters, pages, limits and order. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const ids: string[] = [];
let failed: AnswerBody;

beforeAll(async () => {
  const saga = stage.saga('listed');
  stage.downstream.script('/listed/bad', { status: 400 });
  for (let n = 0; n < 5; n++) {
    const { id } = await stage.finish(saga.linear(['a']), {
      labels: { n: String(n), odd: String(n % 2 === 1), 'a:b': 'c:d' },
    });
    ids.unshift(id);
  }
  failed = await stage.finish(stage.saga('listed').linear(['a', 'bad'], { version: '2' }));
  ids.unshift(failed.id);
});

const list = async (query: string): Promise<string[]> => {
  const { status, body, text } = await stage.ask('GET', `/workflows?${query}`);
  if (status !== 200) throw new Error(text);
  return body.map(({ id }: AnswerBody) => id);
};

async function pages(path: string): Promise<AnswerBody[][]> {
  const found: AnswerBody[][] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await stage.ask('GET', `${path}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    expect(answer.status).toBe(200);
    found.push(answer.body);
    cursor = answer.headers.get('x-next-cursor');
  }
  return found;
}

describe('the list', () => {
  it('is newest first, without payload, and pages by cursor', async () => {
    expect(await list('')).toEqual(ids);
    const found = await pages('/workflows?limit=4');
    expect(found.map((page) => page.length)).toEqual([4, 2]);
    expect(found.flat().map(({ id }) => id)).toEqual(ids);
    expect(found[0]![0]).toMatchObject({
      id: failed.id,
      name: 'listed',
      version: '2',
      status: 'FAILED',
      reason: 'status_4xx',
      labels: {},
    });
    for (const name of ['payload', 'result', 'currentNodes']) expect(found[0]![0]).not.toHaveProperty(name);
    // A full last page has no successor.
    expect((await pages('/workflows?limit=3')).map((page) => page.length)).toEqual([3, 3]);
    expect((await pages('/workflows?limit=2&order=asc')).flat().map(({ id }) => id)).toEqual(ids.toReversed());
  });

  it('clamps its limit and takes an offset', async () => {
    expect(await list('limit=0')).toEqual(ids.slice(0, 1));
    expect(await list('limit=-7')).toEqual(ids.slice(0, 1));
    expect(await list('limit=100000')).toEqual(ids);
    expect(await list('offset=2&limit=2')).toEqual(ids.slice(2, 4));
    expect(await list('offset=99')).toEqual([]);
  });

  it.each([
    'limit=x',
    'limit=1.5',
    'offset=-1',
    'order=up',
    'status=DONE',
    'label=x',
    'startedAfter=now',
    'cursor=zzz',
    'nope=1',
    'standing=maybe',
  ])('refuses %s', async (query) => {
    const { status, body } = await stage.ask('GET', `/workflows?${query}`);
    expect(status).toBe(400);
    expect(body).toEqual({
      errors: [expect.any(String)],
      code: expect.stringMatching(/^invalid_/),
      requestId: expect.any(String),
    });
  });

  it('filters, by all filters together', async () => {
    const time = encodeURIComponent(failed.startedAt);
    expect(await list('status=FAILED')).toEqual([failed.id]);
    expect(await list('status=FAILED&status=SUCCEEDED')).toEqual(ids);
    expect(await list('status=CORRUPTED')).toEqual([]);
    expect(await list('name=listed&version=2')).toEqual([failed.id]);
    expect(await list('name=other')).toEqual([]);
    expect(await list('label=odd:true')).toEqual([ids[2], ids[4]]);
    expect(await list('label=odd:true&label=n:1')).toEqual([ids[4]]);
    expect(await list('reason=status_4xx&failedNodeId=bad')).toEqual([failed.id]);
    expect(await list('failedNodeId=a')).toEqual([]);
    expect(await list('standing=true')).toEqual([]);
    expect(await list(`startedAfter=${time}&startedBefore=2999-01-01T00:00:00Z`)).toContain(failed.id);
    expect(await list('startedBefore=2001-01-01T00:00:00Z')).toEqual([]);
    expect(await list('completedAfter=2001-01-01T00:00:00%2B02:00')).toEqual(ids);
    expect(await list('completedBefore=2001-01-01T00:00:00Z')).toEqual([]);
  });
});

describe.each(['steps', 'steps/calls'])('the history (%s)', (path) => {
  it('is oldest first, pages by cursor, and turns round', async () => {
    const base = `/workflows/${failed.id}/${path}`;
    const all = (await stage.ask('GET', base)).body as AnswerBody[];
    expect(all.map(({ stepName, phase, outcome }) => `${stepName} ${phase} ${outcome}`)).toEqual([
      'a UP succeeded',
      'bad UP rejected',
      'a DOWN succeeded',
    ]);
    expect(all[1]).toMatchObject({
      stepIndex: 1,
      visit: 1,
      round: 1,
      attempt: 1,
      statusCode: 400,
      success: false,
      latencyMs: expect.any(Number),
      startedAt: expect.any(String),
      stepStartedAt: expect.any(String),
      createdAt: expect.any(String),
    });
    expect(new Set(all.map(({ id }) => id)).size).toBe(3);
    expect((await pages(`${base}?limit=2`)).map((page) => page.map(({ id }) => id))).toEqual([
      all.slice(0, 2).map(({ id }) => id),
      all.slice(2).map(({ id }) => id),
    ]);
    expect((await pages(`${base}?limit=1&order=desc`)).flat()).toEqual(all.toReversed());
    expect((await stage.ask('GET', `${base}?limit=0`)).body).toHaveLength(1);
    expect((await stage.ask('GET', `${base}?limit=x`)).status).toBe(400);
    expect((await stage.ask('GET', `${base}?cursor=zzz`)).body.code).toBe('invalid_cursor');
  });
});

describe('calls', () => {
  it('show what was sent and what came back', async () => {
    const [call] = await stage.calls(failed.id);
    expect(call).toMatchObject({
      requestUrl: `${stage.downstream.url}/listed/a`,
      requestVerb: 'POST',
      requestHeaders: { 'trama-attempt': '1' },
      responseHeaders: { 'content-type': 'application/json' },
      responseBody: {},
      idempotencyKey: `${failed.id}:1:a:1:UP`,
    });
  });
});
