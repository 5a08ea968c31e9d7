import { describe, expect, it } from 'vitest';
import { SeededEntropy, VirtualClock } from './virtual-clock.ts';

describe('the virtual clock', () => {
  it('fires timers in order of time, then of arrival, each at its instant', async () => {
    const clock = new VirtualClock(1_000);
    const fired: string[] = [];
    const timer = (name: string, millis: number) => clock.after(millis, () => fired.push(`${name}@${clock.now()}`));
    timer('c', 20);
    timer('a', 10);
    timer('b', 10);
    timer('never', 15).cancel();
    await clock.advance(15);
    expect(fired).toEqual(['a@1010', 'b@1010']);
    expect([clock.now(), clock.monotonic(), clock.pending]).toEqual([1_015, 15, 1]);
    await clock.advance(5);
    expect(fired.at(-1)).toBe('c@1020');
  });

  it('lets promises settle between timers, which may set further timers', async () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    const tick = async (): Promise<void> => {
      await Promise.resolve();
      seen.push(clock.monotonic());
      if (seen.length < 3) clock.after(5, () => void tick());
    };
    clock.after(5, () => void tick());
    await clock.advance(100);
    expect(seen).toEqual([5, 10, 15]);
  });

  it('runs until something holds, or nothing is left', async () => {
    const clock = new VirtualClock();
    let count = 0;
    const again = (): void => {
      count++;
      clock.after(10, again);
    };
    again();
    expect(await clock.runUntilIdle(1_000, () => count === 5)).toBe(true);
    expect(clock.monotonic()).toBe(40);
    expect(await clock.runUntilIdle(100, () => count > 1_000)).toBe(false);
  });

  it('knows jumps of the wall clock and pauses of the process', async () => {
    const clock = new VirtualClock(0);
    let fired = 0;
    clock.after(10, () => fired++);
    clock.jump(-500);
    clock.freeze(100);
    expect([clock.now(), clock.monotonic(), fired]).toEqual([-400, 100, 0]);
    await clock.advance(0);
    expect(fired).toBe(1);
  });
});

describe('seeded entropy', () => {
  it('is the same for the same seed, and another for another', () => {
    const draw = (seed: number) => {
      const entropy = new SeededEntropy(seed);
      return [entropy.random(), entropy.nonce(), entropy.uuid(1_700_000_000_000)];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(0)[2]).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('is spread over [0, 1)', () => {
    const entropy = new SeededEntropy(42);
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) buckets[Math.floor(entropy.random() * 10)]!++;
    expect(Math.min(...buckets)).toBeGreaterThan(850);
    expect(Math.max(...buckets)).toBeLessThan(1_150);
  });
});
