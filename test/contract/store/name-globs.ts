import { expect, it } from 'vitest';
import { idOf, newExecution, start } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const names = ['order', 'order-eu', 'Order', 'order_us', 'orderXus', 'a[b]?', 'a*b', 'ü\\%', ''];

const cases: readonly (readonly [globs: readonly string[], fitting: readonly string[]])[] = [
  [['order'], ['order']],
  [['order*'], ['order', 'order-eu', 'order_us', 'orderXus']],
  [['order_*'], ['order_us']],
  [['*us'], ['order_us', 'orderXus']],
  [
    ['o*r*u*', 'Order'],
    ['order-eu', 'Order', 'order_us', 'orderXus'],
  ],
  [['a[b]?', 'a?b', '[a-z]*'], ['a[b]?']],
  [['ü\\%'], ['ü\\%']],
  [['%', '_'], []],
  [['*'], names],
  [[], []],
];

/** Lists within globs of names. */
export function nameGlobs(test: StoreUnderTest): void {
  it.each(cases)('lists what fits %j', async (globs, fitting) => {
    const { store } = test;
    await store.submit(names.map((name, n) => newExecution(n + 1, { name })));
    for (const [n, name] of names.entries()) {
      const id = `definition-${n}`;
      const record = { id, name, version: '1', hash: `h${n}`, definition: '{}', createdAt: start, updatedAt: start };
      await store.putDefinition(record);
    }
    const executions = await store.listExecutions({ nameGlobs: globs }, { limit: 20, order: 'asc' });
    expect(executions.items.map(({ name }) => name)).toEqual(fitting);
    const definitions = await store.listDefinitions({ limit: 20, order: 'asc' }, globs);
    expect(definitions.items.map(({ name }) => name)).toEqual(fitting);
  });

  it('pages within them, beside other filters', async () => {
    const { store } = test;
    await store.submit(
      Array.from({ length: 9 }, (_, i) => newExecution(i + 1, { name: i % 3 === 0 ? 'pay-1' : `order-${i % 2}` })),
    );
    const filter = { nameGlobs: ['order-*', 'x'], statuses: ['IN_PROGRESS', 'SLEEPING'] } as const;
    const first = await store.listExecutions(filter, { limit: 4 });
    const second = await store.listExecutions(filter, { limit: 4, cursor: first.cursor ?? '' });
    expect(first.items.map(({ id }) => id)).toEqual([9, 8, 6, 5].map(idOf));
    expect(second.items.map(({ id }) => id)).toEqual([3, 2].map(idOf));
    expect(second).not.toHaveProperty('cursor');
    const named = await store.listExecutions({ nameGlobs: ['order-1'], name: 'order-0' }, { limit: 4 });
    expect(named.items).toEqual([]);
    const both = await store.listExecutions({ nameGlobs: ['order-*'], name: 'order-0' }, { limit: 9 });
    expect(both.items.map(({ id }) => id)).toEqual([9, 5, 3].map(idOf));
  });
}
