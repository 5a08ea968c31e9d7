import { describe, expect, it } from 'vitest';
import { OwnedShards } from './owned-shards.ts';

const now = 10_000;

/** A ownedShards with shards 0 to 3, each found with its next id due at that time. */
function boardWith(...dueAt: readonly number[]): OwnedShards {
  const ownedShards = new OwnedShards();
  ownedShards.own([0, 1, 2, 3]);
  for (const index of ownedShards.indexes) {
    ownedShards.refilled(index);
    ownedShards.asked(index);
    ownedShards.found(index, 'run', dueAt[index] ?? Infinity);
  }
  return ownedShards;
}

describe('the ownedShards of shards', () => {
  it('orders shards by their longest due id', () => {
    const ownedShards = boardWith(9_000, 7_000, 11_000, 8_000);
    expect(ownedShards.due(now)).toEqual([1, 3, 0]);
    ownedShards.rung(2, 6_000);
    ownedShards.rung(1, 9_999);
    expect(ownedShards.due(now)).toEqual([2, 1, 3, 0]);
  });

  it('looks first where it knows nothing, and forgets nothing that is due', () => {
    const ownedShards = boardWith(9_000, 7_000, 11_000);
    ownedShards.suspect(now);
    expect(ownedShards.due(now)).toEqual([2, 3, 1, 0]);
    expect(ownedShards.oldestDueAt(now, undefined)).toBe(7_000);
    ownedShards.doubt(0, now);
    expect(ownedShards.due(now)).toEqual([2, 3, 1, 0]);
  });

  it('knows since when the longest due id waits', () => {
    const ownedShards = boardWith(9_000, 7_000, 11_000);
    const oldest = (at = now): number | undefined => ownedShards.oldestDueAt(at, undefined);
    expect(oldest()).toBe(7_000);
    expect(oldest(6_000)).toBeUndefined();
    expect(ownedShards.oldestDueAt(now, (index) => index === 1)).toBe(9_000);
    ownedShards.rung(3, 5_000);
    expect(oldest()).toBe(5_000);
    // While it is asked nothing new is known of it.
    ownedShards.asked(3);
    expect(oldest()).toBe(5_000);
    ownedShards.found(3, 'run', 12_000);
    expect(oldest()).toBe(7_000);
    ownedShards.asked(1);
    ownedShards.unanswered(1);
    expect(oldest()).toBe(9_000);
    ownedShards.lose(0, now);
    expect(oldest()).toBeUndefined();
    expect(oldest(11_000)).toBe(11_000);
    ownedShards.own([3]);
    expect(oldest(11_000)).toBeUndefined();
    expect(oldest(12_000)).toBe(12_000);
  });

  it('knows of nothing that waits where nothing was asked', () => {
    const ownedShards = new OwnedShards();
    ownedShards.own([0, 1]);
    expect(ownedShards.oldestDueAt(now, undefined)).toBeUndefined();
    ownedShards.asked(0);
    expect(ownedShards.oldestDueAt(now, undefined)).toBeUndefined();
    ownedShards.found(0, 'run', Infinity);
    expect(ownedShards.oldestDueAt(now, undefined)).toBeUndefined();
  });
});
