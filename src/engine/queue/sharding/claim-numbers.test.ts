import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../simulator/virtual-clock.ts';
import { ClaimNumbers } from './claim-numbers.ts';

describe('numbers of claims', () => {
  let clock: VirtualClock;
  let numbers: ClaimNumbers;

  beforeEach(() => {
    clock = new VirtualClock();
    numbers = new ClaimNumbers(clock);
  });

  it('ends a claim only after its caller has continued', async () => {
    const { number, done } = numbers.take(3);
    done();
    expect(numbers.oldestPending).toBe(number);
    await clock.advance(0);
    expect(numbers.oldestPending).toBe(number + 3);
  });

  it('lets the renewal that a lost answer calls for free what that claim took', () => {
    const { number, done } = numbers.take(3);
    numbers.orphaned(7, number, 5_000);
    expect(numbers.oldestPending).toBeGreaterThan(number + 2);
    done();
  });

  it('keeps a shard in doubt until a renewal has covered the claim, and the claim cannot arrive any more', async () => {
    const older = numbers.take(1);
    const { number } = numbers.take(1);
    numbers.orphaned(7, number, 5_000);
    numbers.settled(7, numbers.oldestPending, clock.monotonic());
    older.done();
    await clock.advance(0);
    numbers.settled(7, numbers.oldestPending, clock.monotonic());
    expect(numbers.orphanShards).toEqual([7]);
    await clock.advance(5_000);
    numbers.settled(7, older.number, clock.monotonic());
    expect(numbers.orphanShards).toEqual([7]);
    numbers.settled(7, numbers.oldestPending, clock.monotonic());
    expect(numbers.orphanShards).toEqual([]);
  });
});
