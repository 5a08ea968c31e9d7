/** What the checker of stale calls blames, and what it lets pass. */
import { describe, expect, it } from 'vitest';
import { onWireMillis, type ReceivedCall, staleCalls } from './stale-calls.ts';

const none: ReadonlyMap<number, number> = new Map();

function forward(at: number, changes: Partial<ReceivedCall> = {}): ReceivedCall {
  return { node: 'b', key: 'x:1:b:1:UP', life: 'a', round: 1, attempt: 1, compensates: undefined, at, ...changes };
}

function undo(at: number, changes: Partial<ReceivedCall> = {}): ReceivedCall {
  return forward(at, { node: 'undo-b', key: 'x:1:b:1:DOWN', life: 'b', compensates: 'x:1:b:1:UP', ...changes });
}

function blamed(calls: readonly ReceivedCall[], ends = none, allowed: number = onWireMillis.inFault): number {
  return staleCalls(calls, ends, () => allowed).length;
}

describe('the checker of stale calls', () => {
  it('says which call came how long after what', () => {
    expect(staleCalls([forward(0), undo(1_000), forward(3_000)], none, () => onWireMillis.inFault)).toEqual([
      'STALE: x:1:b:1:UP attempt 1 (b) from a came 2000 ms after its compensation by b.',
    ]);
  });

  it('blames a forward call after its compensation, unless it was on the wire', () => {
    expect(blamed([forward(0), undo(1_000), forward(2_600)])).toBe(1);
    expect(blamed([forward(0), undo(1_000), forward(2_400)])).toBe(0);
    expect(blamed([forward(0), undo(1_000), forward(2_400)], none, onWireMillis.usually)).toBe(1);
    // The first of several compensations counts, and only that of the same key.
    expect(blamed([undo(0), undo(2_000, { attempt: 2 }), forward(2_100)])).toBe(1);
    expect(blamed([undo(0), forward(5_000, { key: 'x:1:c:1:UP' })])).toBe(0);
  });

  it('blames any call after the end of its round', () => {
    const ends = new Map([[1, 1_000]]);
    expect(blamed([forward(3_000)], ends)).toBe(1);
    expect(blamed([undo(3_000)], ends)).toBe(1);
    expect(blamed([forward(900)], ends)).toBe(0);
    expect(blamed([forward(3_000, { round: 2 })], ends)).toBe(0);
  });

  it('blames an attempt after a later one, within a round', () => {
    expect(blamed([forward(0), forward(1_000, { attempt: 2, life: 'b' }), forward(3_000)])).toBe(1);
    expect(blamed([forward(0), forward(1_000, { attempt: 2 }), forward(3_000, { attempt: 3 })])).toBe(0);
    // The key of an earlier effect that stands, used again.
    expect(blamed([forward(0, { attempt: 2 }), forward(3_000, { round: 2 })])).toBe(0);
  });
});
