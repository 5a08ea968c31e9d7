import { beforeEach, describe, expect, it } from 'vitest';
import type { Claimed } from '../../ports/queue.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Hold, stampOf } from './lease.ts';

describe('a hold', () => {
  let clock: VirtualClock;
  let hold: Hold;
  const claimed = (token: string): Claimed => ({ id: 'x', slot: 1, token, dueAt: 0 });
  const renew = (): void => hold.renewed('t1', stampOf(clock));

  beforeEach(() => {
    clock = new VirtualClock();
    hold = new Hold(claimed('t1'), stampOf(clock), clock, 10_000);
  });

  it('allows calls for 95 % of its lease', async () => {
    await clock.advance(9_499);
    expect(hold.standing).toBe('sure');
    await clock.advance(1);
    expect(hold.standing).toBe('over');
  });

  it('believes the clock that says more: a machine that slept, a wall clock that jumped', () => {
    clock.jump(9_500);
    expect(hold.standing).toBe('over');
    clock.jump(-20_000);
    expect(hold.standing).toBe('doubtful');
    clock.freeze(9_500);
    expect(hold.standing).toBe('over');
  });

  it('counts from when a renewal was sent', async () => {
    await clock.advance(5_000);
    const sent = stampOf(clock);
    await clock.advance(4_000);
    hold.renewed('t1', sent);
    await clock.advance(5_400);
    expect(hold.standing).toBe('sure');
    await clock.advance(100);
    expect(hold.standing).toBe('over');
  });

  it('is over at once when the queue has given it away, whatever an old renewal says', () => {
    hold.lose('t1');
    renew();
    hold.revived('t1', stampOf(clock));
    expect(hold.standing).toBe('over');
  });

  it('goes on under the token of an adoption, and under its first claim in the store', () => {
    hold.lose('t1');
    hold.adopt(claimed('t2'), stampOf(clock));
    hold.lose('t1');
    expect([hold.isOver, hold.claimed.token, hold.claim]).toEqual([false, 't2', 't1']);
  });

  it('stays in doubt after a lapse, whatever the queue says, until the store has spoken', async () => {
    await clock.advance(9_500);
    renew();
    expect(hold.standing).toBe('doubtful');
    hold.adopt(claimed('t1'), stampOf(clock));
    await clock.advance(5_000);
    renew();
    expect(hold.standing).toBe('doubtful');
    hold.confirm(hold.doubt);
    expect(hold.standing).toBe('sure');
  });

  it('is in doubt where nothing looked at it while it was over', async () => {
    await clock.advance(8_000);
    const sent = stampOf(clock);
    await clock.advance(4_000);
    // The renewal left in time and was answered too late: another process may have come first.
    hold.renewed('t1', sent);
    expect(hold.standing).toBe('doubtful');
  });

  it.each([
    ['that was given to it again', (): void => hold.adopt(claimed('t2'), stampOf(clock))],
    ['that the queue made anew', (): void => hold.revived('t1', stampOf(clock))],
  ])('is in doubt about a claim %s', (_what, revive) => {
    revive();
    expect(hold.standing).toBe('doubtful');
  });

  it('is not made sure by an answer that was asked for before the latest revival', async () => {
    hold.revived('t1', stampOf(clock));
    const { doubt } = hold;
    await clock.advance(9_600);
    expect(hold.standing).toBe('over');
    hold.confirm(doubt);
    renew();
    hold.confirm(doubt);
    expect(hold.standing).toBe('doubtful');
    hold.confirm(hold.doubt);
    expect(hold.standing).toBe('sure');
  });

  it('counts the next lapse after a wall clock jumped there and back', async () => {
    clock.jump(9_500);
    expect(hold.standing).toBe('over');
    clock.jump(-9_500);
    hold.confirm(hold.doubt);
    expect(hold.standing).toBe('sure');
    await clock.advance(9_600);
    renew();
    expect(hold.standing).toBe('doubtful');
  });
});
