import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ring } from '../../ports/shard-queue.ts';
import { parseRing, ringText } from './ring-text.ts';

describe('the text of a ring', () => {
  it('is read back as it was written', () => {
    const ring = fc.record(
      {
        shard: fc.record({ count: fc.integer({ min: 1, max: 16_384 }), index: fc.nat(16_383) }),
        delayMillis: fc.nat(60_000),
        id: fc.string({ minLength: 1 }),
        members: fc.constant(true as const),
        lost: fc.constant(true as const),
        hops: fc.nat(3),
      },
      { requiredKeys: ['delayMillis'] },
    );
    fc.assert(
      fc.property(ring, (ring) => {
        const plain = JSON.parse(JSON.stringify(ring)) as Ring;
        expect(parseRing(ringText(plain), plain.delayMillis)).toEqual(plain);
      }),
    );
  });

  it('is short', () => {
    expect(ringText({ shard: { count: 64, index: 7 }, delayMillis: 5 })).toBe('64.7...');
    expect(ringText({ delayMillis: 0, members: true, hops: 1 })).toBe('..1.m.');
    expect(ringText({ delayMillis: 0, id: 'a', lost: true })).toBe('...l.a');
  });

  it.each(['', 'x', '64', '64.7', '64.7.x..', '64..1..'])('is none: %j', (text) => {
    expect(parseRing(text, 0)).toBeUndefined();
  });
});
