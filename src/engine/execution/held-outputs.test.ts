/** Outputs that leave memory: an execution sees the same outputs wherever they are. */
import { assert, asyncProperty, integer } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { Random } from '../../../simulator/random.ts';
import { randomDefinition } from '../../../simulator/random-definition.ts';
import type { Engine } from '../engine.ts';

/** Large enough for a look at the outputs after each answer. */
const padding = 'x'.repeat(40_000);

/** A task that sends what it reads from other nodes. */
const reader = (id: string, body: JsonObject, more: JsonObject = {}): JsonObject =>
  task(id, { ...more, action: { request: { url: `http://mock/${id}`, verb: 'POST', body } } });

let fixture: RuntimeFixture;
beforeEach(() => {
  fixture = new RuntimeFixture();
  fixture.http.reply = (path, _request, nth) => ({ body: { path, nth, padding } });
});
afterEach(() => fixture.close());

const sentTo = (path: string): unknown[] =>
  fixture.http.calls
    .filter(({ request }) => request.url.endsWith(`/${path}`))
    .map(({ request }) => JSON.parse(request.body ?? 'null') as unknown);
const reads = (): number => fixture.store.count('readOutputs');
const end = async (engine: Engine, definition: JsonObject): Promise<string> =>
  (await fixture.until(await fixture.submit(engine, definition))).status;

describe('outputs', () => {
  it('that nothing asks for any more leave memory, and are not read again', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'c' ? 'hold' : { body: { path, padding } });
    const definition = graph([
      task('a', { next: 'b' }),
      reader('b', { a: '{{nodes.a.response.body.path}}' }, { next: 'c' }),
      task('c', { next: 'd' }),
      reader('d', { b: '{{nodes.b.response.body.path}}' }),
    ]);
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(100);
    // Beside the payload: the answer of `b`, which `d` asks for, and not that of `a`.
    expect(engine.load().bytes).toBeGreaterThan(80_000);
    expect(engine.load().bytes).toBeLessThan(160_000);
    fixture.http.calls.at(-1)!.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(sentTo('d')).toEqual([{ b: 'b' }]);
    expect(reads()).toBe(0);
    expect(engine.load().bytes).toBe(0);
  });

  it('stay while a loop may come back to what asks for them', async () => {
    const engine = await fixture.engine();
    const definition = graph([
      task('first', { next: 'again' }),
      reader('again', { first: '{{nodes.first.response.body.path}}' }, { next: 'much' }),
      task('much', { next: 'more' }),
      {
        kind: 'switch',
        id: 'more',
        cases: [{ when: { '<': [{ var: 'nodes.again.visit' }, 3] }, target: 'again' }],
        default: 'last',
      },
      task('last'),
    ]);
    expect(await end(engine, definition)).toBe('SUCCEEDED');
    expect(sentTo('again')).toEqual(Array.from({ length: 3 }, () => ({ first: 'first' })));
    expect(reads()).toBe(0);
  });

  it('are read back for a request, a condition, a callback, a join, a hook and a compensation', async () => {
    const engine = await fixture.engine({ maxOutputBytes: 120_000 });
    fixture.store.seen.length = 0;
    const first = '{{nodes.a.response.body.path}}';
    fixture.http.reply = (path) => (path === 'bad' ? { status: 400 } : { body: { path, padding } });
    const definition = graph(
      [
        {
          ...task('a', { next: 'b' }),
          compensation: { url: 'http://mock/undo-a', verb: 'POST', body: { own: first } },
        },
        task('b', { next: 'c' }),
        task('c', { next: 'pick' }),
        {
          kind: 'switch',
          id: 'pick',
          cases: [{ when: { '==': [{ var: 'nodes.a.response.body.path' }, 'a'] }, target: 's' }],
          default: 'bad',
        },
        { kind: 'split', id: 's', branches: ['x', 'y'], join: 'j' },
        task('x', { next: 'x2' }),
        reader('x2', { first }, { next: 'j' }),
        task('y', { next: 'j' }),
        { kind: 'join', id: 'j', next: 'ask' },
        task('ask', {
          next: 'sum',
          action: {
            mode: 'async',
            callback: { timeoutMillis: 60_000, successWhen: { '==': [{ var: 'nodes.b.response.body.path' }, 'b'] } },
          },
        }),
        reader(
          'sum',
          {
            x: '{{nodes.j.response.body.branches.x.result.path}}',
            y: '{{nodes.j.response.body.branches.y.result.path}}',
          },
          { next: 'bad' },
        ),
        task('bad'),
      ],
      { onFailureCallback: { url: 'http://mock/hook', verb: 'POST', body: { c: '{{nodes.c.response.body.path}}' } } },
    );
    const id = await fixture.submit(engine, definition);
    await fixture.until(id, 'WAITING_CALLBACK');
    expect(await fixture.offer(engine, id, await fixture.callbackOf(id, 'ask'))).toBe('accepted');
    const { status, failureDescription } = await fixture.until(id);
    expect({ status, failureDescription }).toMatchObject({ status: 'FAILED' });
    expect(sentTo('x2')).toEqual([{ first: 'a' }]);
    expect(sentTo('sum')).toEqual([{ x: 'x2', y: 'y' }]);
    expect(sentTo('undo-a')).toEqual([{ own: 'a' }]);
    expect(sentTo('hook')).toEqual([{ c: 'c' }]);
    expect(reads()).toBeGreaterThan(4);
  });

  it('that one place asks for fail it where they are too many', async () => {
    const engine = await fixture.engine({ maxOutputBytes: 70_000 });
    const all = Object.fromEntries(['a', 'b', 'c'].map((id) => [id, `{{nodes.${id}.response.body.path}}`]));
    const definition = graph([
      task('a', { next: 'b' }),
      task('b', { next: 'c' }),
      task('c', { next: 'd' }),
      reader('d', all),
    ]);
    const id = await fixture.submit(engine, definition);
    const { status, failureDescription } = await fixture.until(id);
    expect(status).toBe('FAILED');
    expect(failureDescription).toMatch(/The outputs of a, b, c that it reads take more than 70000 bytes together/);
  });

  it('are the same to an execution, wherever they are', async () => {
    const lists = Array.from({ length: 12_000 }, () => []);
    let restored = 0;
    const play = async (definition: JsonObject, seed: number, maxOutputBytes: number): Promise<unknown> => {
      const stage = new RuntimeFixture();
      stage.http.reply = (path, { headers }) => {
        const asked = `${(headers['idempotency-key'] ?? '').split(':').slice(1).join(':')}#${headers['trama-attempt'] ?? ''}`;
        let mixed = seed;
        for (const char of asked) mixed = Math.imul(mixed ^ char.charCodeAt(0), 0x01_00_01_93);
        const draw = new Random(mixed).next();
        const body = { path, asked, ...(path.endsWith('/up') ? { lists } : undefined) };
        return draw < 0.05 ? { error: 'timeout' } : { status: draw < 0.15 ? 422 : 200, body };
      };
      const engine = await stage.engine({ maxOutputBytes });
      const id = await stage.submit(engine, definition);
      const { status } = await stage.until(id);
      const sent = stage.http.calls.map(({ request: { url, body } }) => `${url} ${body ?? ''}`.replaceAll(id, 'id'));
      const story = { status, sent, rows: await stage.rows(id) };
      if (maxOutputBytes < 1_000_000) restored += stage.store.count('readOutputs');
      await stage.close();
      return story;
    };
    await assert(
      asyncProperty(integer({ min: 0, max: 1_000_000 }), async (seed) => {
        const definition = randomDefinition(new Random(seed), { length: 8, depth: 0, maxWaitMillis: 500 });
        const { timeoutMillis: _timeout, ...timeless } = definition;
        const inMemory = await play(timeless, seed, 32 * 1024 * 1024);
        // None is kept, since an output takes more in memory than as text, and several may be read back at once.
        expect(await play(timeless, seed, 600_000)).toEqual(inMemory);
      }),
      // The same definitions each time: some of them have to read outputs back.
      { numRuns: 20, seed: 3 },
    );
    expect(restored).toBeGreaterThan(5);
  }, 60_000);
});

describe('the memory of all held executions', () => {
  it('lets nothing new be claimed or started while it is full', async () => {
    const engine = await fixture.engine({ maxInHandBytes: 300_000 });
    fixture.http.reply = (path) => (path === 'hold' ? 'hold' : { body: { path } });
    const large = { text: 'x'.repeat(100_000) };
    const first = await fixture.submit(engine, chain('hold'), { payload: large });
    expect(engine.load()).toMatchObject({ busy: 1, maxBytes: 300_000 });
    expect(engine.load().bytes).toBeGreaterThan(300_000);
    const second = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(20_000);
    expect(engine.load().busy).toBe(1);
    expect(fixture.http.paths()).toEqual(['hold']);
    fixture.http.calls[0]!.answer({});
    expect((await fixture.until(first)).status).toBe('SUCCEEDED');
    expect((await fixture.until(second, 'over', 100)).status).toBe('SUCCEEDED');
    expect(engine.load()).toMatchObject({ busy: 0, bytes: 0 });
  });

  it('lets an execution that is too large by itself run alone', async () => {
    const engine = await fixture.engine({ maxInHandBytes: 100_000 });
    const text = 'x'.repeat(100_000);
    const ids = await Promise.all([1, 2, 3].map(() => fixture.submit(engine, chain('a', 'b'), { payload: { text } })));
    for (const id of ids) expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(engine.load().bytes).toBe(0);
  });

  it('is given back by whatever ends, so that none is lost', async () => {
    const engine = await fixture.engine({ maxInHandBytes: 10_000_000 });
    const payload = { text: 'x'.repeat(100_000) };
    const sleeping = graph([{ kind: 'sleep', id: 's', durationMillis: 600_000, next: 'a' }, task('a')]);
    const ids = await Promise.all(Array.from({ length: 20 }, () => fixture.submit(engine, sleeping, { payload })));
    await fixture.clock.advance(1_000);
    expect(engine.load()).toMatchObject({ busy: 0, bytes: 0 });
    await fixture.clock.advance(620_000);
    for (const id of ids) expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(engine.load().bytes).toBe(0);
  });
});
