import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import { stringifyJson, type JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';

describe('children of items, in a new round', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine();
  });

  afterEach(() => fixture.close());

  async function store(definition: JsonObject): Promise<void> {
    const compiled = fixture.plans.compile(definition);
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    const { name, version, hash } = compiled.plan;
    const now = fixture.clock.now();
    const id = fixture.entropy.uuid(now);
    const text = stringifyJson(definition);
    await fixture.store.putDefinition({ id, name, version, hash, definition: text, createdAt: now, updatedAt: now });
  }

  async function childrenOf(id: string) {
    const { items } = await fixture.store.listExecutions({ parent: id }, { order: 'asc', limit: 100 });
    return items;
  }

  it.each([1, 4])(
    'are found again by what they were started with in a loop, whatever the order of the items, %i at a time',
    async (together) => {
      await store(graph([task('pay')], { name: 'child' }));
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
      const sub = {
        kind: 'workflow',
        id: 'sub',
        definition: { name: 'child', version: 'latest' },
        payload: { n: '{{item.n}}' },
        compensation: 'none',
      };
      const id = await fixture.submit(
        engine,
        graph([task('list', list), { ...each, next: 'last' }, sub, task('last')]),
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
});
