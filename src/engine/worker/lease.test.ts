import { beforeEach, describe, expect, it } from 'vitest';
import type { Claimed } from '../../ports/queue.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Lease, stampOf } from './lease.ts';

describe('a lease', () => {
  let clock: VirtualClock;
  let lease: Lease;
  const claimed = (token: string): Claimed => ({ id: 'x', slot: 1, token, dueAt: 0 });
  const renew = (): void => lease.renewed('t1', stampOf(clock));

  beforeEach(() => {
    clock = new VirtualClock();
    lease = new Lease(claimed('t1'), stampOf(clock), clock, 10_000);
  });

  it('allows calls for 95 % of its lease', async () => {
    await clock.advance(9_499);
    expect(lease.standing).toBe('sure');
    await clock.advance(1);
    expect(lease.standing).toBe('over');
  });

  it('believes the clock that says more: a machine that slept, a wall clock that jumped', () => {
    clock.jump(9_500);
    expect(lease.standing).toBe('over');
    clock.jump(-20_000);
    expect(lease.standing).toBe('doubtful');
    clock.freeze(9_500);
    expect(lease.standing).toBe('over');
  });

  it('counts from when a renewal was sent', async () => {
    await clock.advance(5_000);
    const sent = stampOf(clock);
    await clock.advance(4_000);
    lease.renewed('t1', sent);
    await clock.advance(5_400);
    expect(lease.standing).toBe('sure');
    await clock.advance(100);
    expect(lease.standing).toBe('over');
  });

  it('is over at once when the queue has given it away, whatever an old renewal says', () => {
    lease.lose('t1');
    renew();
    lease.revived('t1', stampOf(clock));
    expect(lease.standing).toBe('over');
  });

  it('goes on under the token of an adoption, and under its first claim in the store', () => {
    lease.lose('t1');
    lease.adopt(claimed('t2'), stampOf(clock));
    lease.lose('t1');
    expect([lease.isOver, lease.claimed.token, lease.claim]).toEqual([false, 't2', 't1']);
  });

  it('stays in doubt after a lapse, whatever the queue says, until the store has spoken', async () => {
    await clock.advance(9_500);
    renew();
    expect(lease.standing).toBe('doubtful');
    lease.adopt(claimed('t1'), stampOf(clock));
    await clock.advance(5_000);
    renew();
    expect(lease.standing).toBe('doubtful');
    lease.confirm(lease.doubt);
    expect(lease.standing).toBe('sure');
  });

  it('is in doubt where nothing looked at it while it was over', async () => {
    await clock.advance(8_000);
    const sent = stampOf(clock);
    await clock.advance(4_000);
    // The renewal left in time and was answered too late: another process may have come first.
    lease.renewed('t1', sent);
    expect(lease.standing).toBe('doubtful');
  });

  it.each([
    ['that was given to it again', (): void => lease.adopt(claimed('t2'), stampOf(clock))],
    ['that the queue made anew', (): void => lease.revived('t1', stampOf(clock))],
  ])('is in doubt about a claim %s', (_what, revive) => {
    revive();
    expect(lease.standing).toBe('doubtful');
  });

  it('is not made sure by an answer that was asked for before the latest revival', async () => {
    lease.revived('t1', stampOf(clock));
    const { doubt } = lease;
    await clock.advance(9_600);
    expect(lease.standing).toBe('over');
    lease.confirm(doubt);
    renew();
    lease.confirm(doubt);
    expect(lease.standing).toBe('doubtful');
    lease.confirm(lease.doubt);
    expect(lease.standing).toBe('sure');
  });

  it('counts the next lapse after a wall clock jumped there and back', async () => {
    clock.jump(9_500);
    expect(lease.standing).toBe('over');
    clock.jump(-9_500);
    lease.confirm(lease.doubt);
    expect(lease.standing).toBe('sure');
    await clock.advance(9_600);
    renew();
    expect(lease.standing).toBe('doubtful');
  });
});
