import { describe, expect, it } from 'vitest';
import { ShardBoard } from './shard-board.ts';

const now = 10_000;

/** A board with shards 0 to 3, each found with its next id due at that time. */
function boardWith(...dueAt: readonly number[]): ShardBoard {
  const board = new ShardBoard();
  board.own([0, 1, 2, 3]);
  for (const index of board.indexes) {
    board.refilled(index);
    board.asked(index);
    board.found(index, 'run', dueAt[index] ?? Infinity);
  }
  return board;
}

describe('the board of shards', () => {
  it('orders shards by their longest due id', () => {
    const board = boardWith(9_000, 7_000, 11_000, 8_000);
    expect(board.due(now)).toEqual([1, 3, 0]);
    board.rung(2, 6_000);
    board.rung(1, 9_999);
    expect(board.due(now)).toEqual([2, 1, 3, 0]);
  });

  it('looks first where it knows nothing, and forgets nothing that is due', () => {
    const board = boardWith(9_000, 7_000, 11_000);
    board.suspect(now);
    expect(board.due(now)).toEqual([2, 3, 1, 0]);
    expect(board.oldestDueAt(now, undefined)).toBe(7_000);
    board.doubt(0, now);
    expect(board.due(now)).toEqual([2, 3, 1, 0]);
  });

  it('knows since when the longest due id waits', () => {
    const board = boardWith(9_000, 7_000, 11_000);
    const oldest = (at = now): number | undefined => board.oldestDueAt(at, undefined);
    expect(oldest()).toBe(7_000);
    expect(oldest(6_000)).toBeUndefined();
    expect(board.oldestDueAt(now, (index) => index === 1)).toBe(9_000);
    board.rung(3, 5_000);
    expect(oldest()).toBe(5_000);
    // While it is asked nothing new is known of it.
    board.asked(3);
    expect(oldest()).toBe(5_000);
    board.found(3, 'run', 12_000);
    expect(oldest()).toBe(7_000);
    board.asked(1);
    board.unanswered(1);
    expect(oldest()).toBe(9_000);
    board.lose(0, now);
    expect(oldest()).toBeUndefined();
    expect(oldest(11_000)).toBe(11_000);
    board.own([3]);
    expect(oldest(11_000)).toBeUndefined();
    expect(oldest(12_000)).toBe(12_000);
  });

  it('knows of nothing that waits where nothing was asked', () => {
    const board = new ShardBoard();
    board.own([0, 1]);
    expect(board.oldestDueAt(now, undefined)).toBeUndefined();
    board.asked(0);
    expect(board.oldestDueAt(now, undefined)).toBeUndefined();
    board.found(0, 'run', Infinity);
    expect(board.oldestDueAt(now, undefined)).toBeUndefined();
  });
});
