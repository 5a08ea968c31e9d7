import { beforeEach, describe, expect, it } from 'vitest';
import type { Claimed } from '../ports/queue.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { Hold, stampOf } from './hold.ts';

describe('a hold', () => {
  let clock: VirtualClock;
  let hold: Hold;
  const claimed = (token: string): Claimed => ({ id: 'x', slot: 1, token, dueAt: 0 });

  beforeEach(() => {
    clock = new VirtualClock();
    hold = new Hold(claimed('t1'), stampOf(clock), clock, 10_000);
  });

  it('allows calls for 95 % of its lease', async () => {
    await clock.advance(9_499);
    expect(hold.isOver).toBe(false);
    await clock.advance(1);
    expect(hold.isOver).toBe(true);
  });

  it('believes the clock that says more: a machine that slept, a wall clock that jumped', () => {
    clock.jump(9_500);
    expect(hold.isOver).toBe(true);
    clock.jump(-20_000);
    expect(hold.isOver).toBe(false);
    clock.freeze(9_500);
    expect(hold.isOver).toBe(true);
  });

  it('counts from when a renewal was sent', async () => {
    await clock.advance(5_000);
    const sent = stampOf(clock);
    await clock.advance(4_000);
    hold.renewed('t1', sent);
    await clock.advance(5_400);
    expect(hold.isOver).toBe(false);
    await clock.advance(100);
    expect(hold.isOver).toBe(true);
  });

  it('is over at once when the queue has given it away, whatever an old renewal says', () => {
    hold.lose('t1');
    hold.renewed('t1', stampOf(clock));
    expect(hold.isOver).toBe(true);
  });

  it('goes on under the token of an adoption, and under its first claim in the store', () => {
    hold.lose('t1');
    hold.adopt(claimed('t2'), stampOf(clock));
    hold.lose('t1');
    expect([hold.isOver, hold.claimed.token, hold.claim]).toEqual([false, 't2', 't1']);
  });
});
