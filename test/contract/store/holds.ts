import { expect, it } from 'vitest';
import { type CallHold, changeHolds, readHolds } from '../../../src/engine/call/gate/call-holds.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const hold = (id: string, more: Partial<CallHold> = {}): CallHold => ({
  id,
  host: 'bank.example',
  reason: "It's \u201cclosed\u201d \u{1f3e6} \\ \n",
  createdAt: 1_000,
  ...more,
});

/** What operators hold, as the settings keep it. */
export function holds(test: StoreUnderTest): void {
  it('stand until they are lifted or have ended, and outlive the store', async () => {
    expect(await readHolds(test.store, 2_000)).toEqual([]);
    await changeHolds(test.store, 2_000, () => [hold('a'), hold('b', { until: 3_000 })]);
    await test.reopen();
    expect(await readHolds(test.store, 2_999)).toEqual([hold('a'), hold('b', { until: 3_000 })]);
    expect(await readHolds(test.store, 3_000)).toEqual([hold('a')]);
    await changeHolds(test.store, 3_000, () => []);
    expect(await readHolds(test.store, 2_000)).toEqual([]);
  });

  it('that are placed at the same time all stand', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `h${i}`);
    // A change may be made on holds that have it: the next process may make it before the first one looks.
    const place = (id: string) =>
      changeHolds(test.store, 1, (standing) => [...standing.filter((other) => other.id !== id), hold(id)]);
    await Promise.all(ids.map(place));
    expect((await readHolds(test.store, 1)).map(({ id }) => id).toSorted()).toEqual(ids);
  });
}
