import { assert, constant, integer, nat, property, tuple, uuid } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idInShard, shardOf, slotInShard, slotOf } from './slot.ts';

const shards = integer({ min: 1, max: 512 }).chain((count) => tuple(constant(count), nat(count - 1)));

describe('shards of ids', () => {
  it('keeps the slots of known ids', () => {
    expect(['a', 'ab', '01890a5d-ac96-774b-bcce-b302099a8057'].map(slotOf)).toMatchInlineSnapshot(`
      [
        14620,
        12638,
        1968,
      ]
    `);
  });

  it('names the first slot of a shard', () => {
    assert(
      property(shards, ([count, index]) => {
        const slot = slotInShard(count, index);
        expect(shardOf(slot, count)).toBe(index);
        if (slot > 0) expect(shardOf(slot - 1, count)).toBe(index - 1);
      }),
    );
  });

  it('moves an id into a shard by its last three digits', () => {
    assert(
      property(uuid({ version: 7 }), shards, (id, [count, index]) => {
        const moved = idInShard(id, count, index);
        // A few ids have no digits for a shard of less than 64 slots.
        if (moved === undefined) expect(count).toBeGreaterThan(256);
        if (moved === undefined) return;
        expect(moved.slice(0, -3)).toBe(id.slice(0, -3));
        expect(moved).toMatch(/^[0-9a-f-]{36}$/);
        expect(shardOf(slotOf(moved), count)).toBe(index);
      }),
    );
  });

  it('keeps an id that lies in the shard', () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(idInShard(id, 64, shardOf(slotOf(id), 64))).toBe(id);
  });

  it('finds no digits for some of very many shards', () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057';
    const found = Array.from({ length: 500 }, (_, index) => idInShard(id, 16_384, index));
    expect(found.some((each) => each === undefined)).toBe(true);
    for (const [index, each] of found.entries()) if (each !== undefined) expect(slotOf(each)).toBe(index);
  });
});
