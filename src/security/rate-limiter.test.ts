import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

describe('a limiter', () => {
  it('lets a burst through, then the steady rate', () => {
    let now = 0;
    const limiter = new RateLimiter({ perSecond: 2, burst: 3, maxKeys: 10 }, () => now);
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
    expect(limiter.take('b')).toBe(0);
    now = 400;
    expect(limiter.take('a')).toBe(100);
    now = 500;
    expect([limiter.wait('a'), limiter.take('a'), limiter.wait('a')]).toEqual([0, 0, 500]);
    now = 1_000_000;
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
  });

  it('knows a bounded number of keys and forgets the one used longest ago', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1, maxKeys: 3 }, () => 0);
    for (const key of ['a', 'b', 'c', 'd']) limiter.take(key);
    for (let n = 0; n < 1000; n++) limiter.wait(`asked ${String(n)}`);
    expect(limiter.size).toBe(3);
    expect(['a', 'b', 'c', 'd'].map((key) => limiter.wait(key))).toEqual([0, 1000, 1000, 1000]);
  });
});
