import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { child, childrenOf as listChildren, parent, storeDefinition, workflow } from '../../../test/family-fixture.ts';
import { RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';

describe('children in a new round', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  const store = (definition: JsonObject): Promise<void> => storeDefinition(fixture, definition);
  const childrenOf = (id: string): ReturnType<typeof listChildren> => listChildren(fixture, id);

  it('are found again by what stands: one that succeeded gives its result', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path, _request, nth) =>
      path === 'last' && nth === 1 ? { status: 400 } : { body: { receipt: 7 } };
    const last = {
      action: { request: { url: 'http://mock/last', verb: 'POST', body: '{{nodes.sub.response.body.receipt}}' } },
    };
    const id = await fixture.submit(
      engine,
      parent(workflow('sub', { compensation: 'none', next: 'last' }), task('last', last)),
    );
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
    await fixture.retry(engine, id);
    expect(await fixture.until(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
    expect(await childrenOf(id)).toHaveLength(1);
    expect(fixture.http.paths()).toEqual(['pay', 'last', 'last']);
    expect(fixture.http.calls.at(-1)!.request.body).toBe('7');
    expect((await fixture.store.listEffects(id, 10)).map(({ undo }) => undo)).toEqual(
      ['moved', undefined, 'pending'].slice(0, 3),
    );
  });

  it('are found again whatever `now` and `uuid` their payload holds', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path, _request, nth) => (path === 'last' && nth === 1 ? { status: 400 } : {});
    const payload = { at: { $logic: { now: [] } }, id: { $logic: { uuid: [] } } };
    const id = await fixture.submit(
      engine,
      parent(workflow('sub', { payload, compensation: 'none', next: 'last' }), task('last')),
    );
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
    await fixture.clock.advance(60_000);
    await fixture.retry(engine, id);
    expect(await fixture.until(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
    expect(await childrenOf(id)).toHaveLength(1);
    expect(fixture.http.paths()).toEqual(['pay', 'last', 'last']);
  });

  it.each([1, 4])(
    'are found again by what they were started with in a loop, whatever the order of the items, %i at a time',
    async (together) => {
      await store(child(task('pay')));
      const lists = [
        [{ n: 1 }, { n: 2 }, { n: 2 }],
        [{ n: 2 }, { n: 1 }, { n: 2 }, { n: 2 }],
      ];
      fixture.http.reply = (path, _request, nth) => {
        if (path === 'list') return { body: lists[nth - 1] ?? [] };
        return path === 'last' && nth === 1 ? { status: 400 } : {};
      };
      const list = { action: { request: { url: 'http://mock/list', verb: 'GET' } }, next: 'each' };
      const each = {
        kind: 'forEach',
        id: 'each',
        items: '{{nodes.list.response.body}}',
        entry: 'sub',
        maxConcurrency: together,
      };
      const id = await fixture.submit(
        engine,
        parent(
          task('list', list),
          { ...each, next: 'last' },
          workflow('sub', { payload: { n: '{{item.n}}' }, compensation: 'none' }),
          task('last'),
        ),
      );
      expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
      expect(await childrenOf(id)).toHaveLength(3);
      await fixture.retry(engine, id);
      expect(await fixture.until(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
      // Only the fourth item is new: each child is taken over once.
      const children = await childrenOf(id);
      expect(children.map(({ parent: link }) => link?.round)).toEqual([1, 1, 1, 2]);
      expect(fixture.http.paths().filter((path) => path === 'pay')).toHaveLength(4);
    },
  );

  it('begin a new round themselves where something of them stands', async () => {
    await store(child(task('pay', { next: 'nap' }), { kind: 'sleep', id: 'nap', durationMillis: 60_000 }));
    const id = await fixture.submit(engine, parent(workflow('sub')));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(100);
    await fixture.offer(engine, id, { type: 'terminated', inboxId: 't1' });
    await fixture.until(id);
    await fixture.clock.advance(100);
    const [before] = await childrenOf(id);
    expect(before).toMatchObject({ status: 'TERMINATED', round: 1 });
    await fixture.retry(engine, id, true);
    expect(await fixture.until(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
    const [after, ...others] = await childrenOf(id);
    expect(others).toEqual([]);
    expect(after).toMatchObject({ id: before!.id, status: 'SUCCEEDED', round: 2 });
    const keys = fixture.http.keys();
    expect(keys).toEqual([`${before!.id}:1:pay:1:UP`, `${before!.id}:1:pay:1:UP`]);
  });

  it('are started anew where nothing stands', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path, _request, nth) => (path === 'pay' && nth === 1 ? { status: 400 } : {});
    const id = await fixture.submit(engine, parent(workflow('sub')));
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
    await fixture.retry(engine, id);
    expect(await fixture.until(id)).toMatchObject({ status: 'SUCCEEDED', round: 2 });
    expect((await childrenOf(id)).map(({ status, parent }) => [status, parent?.round])).toEqual([
      ['FAILED', 1],
      ['SUCCEEDED', 2],
    ]);
  });
});
