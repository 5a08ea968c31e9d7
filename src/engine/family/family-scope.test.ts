import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import { stringifyJson, type JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';

const starts = (name: string): JsonObject => ({
  kind: 'workflow',
  id: `start-${name}`,
  definition: { name, version: 'latest' },
});

describe('a family that a limited caller has started', () => {
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

  async function store(definition: JsonObject): Promise<void> {
    const compiled = fixture.plans.compile(definition);
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    const { name, version, hash } = compiled.plan;
    const now = fixture.clock.now();
    const id = fixture.entropy.uuid(now);
    const text = stringifyJson(definition);
    await fixture.store.putDefinition({ id, name, version, hash, definition: text, createdAt: now, updatedAt: now });
  }

  it('starts definitions of the scope of that caller, on every level', async () => {
    await store(graph([task('pack')], { name: 'ship-box' }));
    await store(graph([starts('ship-box')], { name: 'shipping' }));
    const id = await fixture.submit(engine, graph([starts('shipping')], { name: 'order' }), {
      scope: ['order', 'ship*'],
    });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['pack']);
    const { items } = await fixture.store.listExecutions({ root: false }, { limit: 9 });
    expect(items).toHaveLength(2);
    for (const item of items) expect((await fixture.detail(item.id)).state.scope).toEqual(['order', 'ship*']);
  });

  it('leaves a definition outside of it unsent, also one that was stored later', async () => {
    await store(graph([task('charge')], { name: 'pay' }));
    await store(graph([starts('pay')], { name: 'shipping' }));
    const id = await fixture.submit(engine, graph([starts('shipping')], { name: 'order' }), {
      scope: ['order', 'ship*'],
    });
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'child' });
    const [shipping, ...others] = (await fixture.store.listExecutions({ root: false }, { limit: 9 })).items;
    expect(others).toEqual([]);
    expect(shipping).toMatchObject({ name: 'shipping', status: 'FAILED', reason: 'unsent' });
    expect(shipping?.failureDescription).toMatch(/"pay" .* is not among those/);
    expect(fixture.http.paths()).toEqual([]);
  });
});
