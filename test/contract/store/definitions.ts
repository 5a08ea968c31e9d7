import { expect, it } from 'vitest';
import { BadCursor, type DefinitionName, type DefinitionRecord } from '../../../src/ports/store.ts';
import { newExecution, start } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

function record(n: number, overrides: Partial<DefinitionRecord> = {}): DefinitionRecord {
  return {
    id: `definition-${n}`,
    name: 'order',
    version: String(n),
    hash: `hash-${n}`,
    definition: `{"name":"order","version":"${n}","amount":10.10}`,
    createdAt: start + n,
    updatedAt: start + n,
    ...overrides,
  };
}

/** Records of definitions and their bodies. */
export function definitions(test: StoreUnderTest): void {
  it('keeps a record as submitted', async () => {
    const { store } = test;
    const put = record(1, { name: `naïve "o'rder".v1`, definition: '{ "n" : 1.0e3, "ü": "\\u0000" }' });
    expect(await store.putDefinition(put)).toEqual({ kind: 'stored', record: put });
    expect(await store.getDefinition({ id: put.id })).toEqual(put);
    expect(await store.getDefinition({ name: put.name, version: '1' })).toEqual(put);
    expect(await store.getDefinitionBody('hash-1')).toBe(put.definition);
  });

  it('answers undefined for what is not there', async () => {
    const { store } = test;
    expect(await store.getDefinition({ id: 'no' })).toBeUndefined();
    expect(await store.getDefinition({ name: 'no', version: 'latest' })).toBeUndefined();
    expect(await store.getDefinitionBody('no')).toBeUndefined();
  });

  it('tells identical content from a conflict', async () => {
    const { store } = test;
    const first = record(1);
    await store.putDefinition(first);
    expect(await store.putDefinition(record(1, { createdAt: start + 99 }))).toEqual({
      kind: 'identical',
      record: first,
    });
    expect(await store.putDefinition(record(1, { id: 'other' }))).toEqual({ kind: 'identical', record: first });
    expect(await store.putDefinition(record(1, { hash: 'other' }))).toEqual({ kind: 'conflict', by: 'id' });
    expect(await store.putDefinition(record(1, { id: 'other', hash: 'other' }))).toEqual({
      kind: 'conflict',
      by: 'name_version',
    });
    expect(await store.getDefinition({ id: 'other' })).toBeUndefined();
  });

  it('takes the most recently created as latest', async () => {
    const { store } = test;
    for (const put of [record(2), record(3), record(1), record(4, { name: 'other' })]) await store.putDefinition(put);
    expect(await store.getDefinition({ name: 'order', version: 'latest' })).toEqual(record(3));
  });

  it('pages newest first, and oldest first when asked', async () => {
    const { store } = test;
    for (const n of [3, 1, 5, 2, 4]) await store.putDefinition(record(n, { createdAt: start + Math.floor(n / 2) }));
    const first = await store.listDefinitions({ limit: 2 });
    const second = await store.listDefinitions({ limit: 2, cursor: first.cursor ?? '' });
    const third = await store.listDefinitions({ limit: 2, cursor: second.cursor ?? '' });
    expect([first, second, third].map((page) => page.items.map(({ version }) => version))).toEqual([
      ['5', '4'],
      ['3', '2'],
      ['1'],
    ]);
    expect(third).not.toHaveProperty('cursor');
    const oldest = await store.listDefinitions({ limit: 3, order: 'asc' });
    expect(oldest.items.map(({ version }) => version)).toEqual(['1', '2', '3']);
    const skipped = await store.listDefinitions({ limit: 2, offset: 3 });
    expect(skipped.items.map(({ version }) => version)).toEqual(['2', '1']);
    await expect(store.listDefinitions({ limit: 2, cursor: 'nonsense' })).rejects.toThrow(BadCursor);
  });

  it('pages names with their number of versions and the latest one', async () => {
    const { store } = test;
    for (const put of [
      record(2),
      record(3),
      record(1),
      record(4, { name: 'fetch "x"' }),
      record(5, { name: 'other', createdAt: start + 9 }),
      record(6, { name: 'other', createdAt: start + 7 }),
    ])
      await store.putDefinition(put);
    const name = (n: number, changes: Parameters<typeof record>[1], versions: number): DefinitionName => {
      const { id, version, createdAt, name: of } = record(n, changes);
      return { name: of, versions, latest: { id, version, createdAt } };
    };
    const names = [
      name(4, { name: 'fetch "x"' }, 1),
      name(3, {}, 3),
      name(5, { name: 'other', createdAt: start + 9 }, 2),
    ];
    expect(await store.listDefinitionNames({ limit: 9 })).toEqual({ items: names });
    expect((await store.listDefinitionNames({ limit: 9, order: 'desc' })).items).toEqual(names.toReversed());
    for (const order of ['asc', 'desc'] as const) {
      const seen: DefinitionName[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listDefinitionNames({ limit: 1, order, ...(cursor !== undefined && { cursor }) });
        seen.push(...page.items);
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(seen).toEqual(order === 'asc' ? names : names.toReversed());
    }
    expect((await store.listDefinitionNames({ limit: 9 }, ['o*'])).items).toEqual(names.slice(1));
    expect((await store.listDefinitionNames({ limit: 9 }, [])).items).toEqual([]);
    await expect(store.listDefinitionNames({ limit: 2, cursor: 'nonsense' })).rejects.toThrow(BadCursor);
  });

  it('forgets a deleted record but not what executions are pinned to', async () => {
    const { store } = test;
    await store.putDefinition(record(1));
    await store.submit([newExecution(1, { definitionHash: 'hash-1', definition: '{"pinned":true}' })]);
    await store.deleteDefinition('definition-1');
    await store.deleteDefinition('definition-1');
    expect(await store.getDefinition({ id: 'definition-1' })).toBeUndefined();
    expect(await store.getDefinitionBody('hash-1')).toBe('{"pinned":true}');
    const again = record(1, { hash: 'new content' });
    expect(await store.putDefinition(again)).toEqual({ kind: 'stored', record: again });
  });

  it('sets a setting once', async () => {
    const { store } = test;
    expect(await store.getSetting('keys')).toBeUndefined();
    expect(await store.initSetting('keys', '["a"]')).toBe('["a"]');
    expect(await store.initSetting('keys', '["b"]')).toBe('["a"]');
    expect(await store.getSetting('keys')).toBe('["a"]');
    if (await test.reopen()) expect(await test.store.getSetting('keys')).toBe('["a"]');
    expect(await test.store.changeSetting('keys', '["b"]', '["c"]')).toBe(false);
    expect(await test.store.changeSetting('keys', '["a"]', '["c"]')).toBe(true);
    expect(await test.store.changeSetting('keys', '["a"]', '["c"]')).toBe(true);
    expect(await test.store.getSetting('keys')).toBe('["c"]');
  });
}
