import { describe, expect, it } from 'vitest';
import type { RetryPolicy } from '../plan.ts';
import { nextRetry } from './retry.ts';
import type { AttemptFailure } from '../state.ts';

const failure: AttemptFailure = { outcome: 'rejected', reason: 'status_5xx', description: 'x', statusCode: 500 };

/** The delay before the n-th retry; `u` is the random number in [0, 1). */
function delayOf(policy: RetryPolicy, n: number, u = 0.5): number | undefined {
  const counters = { retries: n - 1, waits: 0 };
  return nextRetry(policy, counters, failure, { direction: 'forward', random: () => u, maxRetryAfterMillis: 1000 })
    ?.delayMillis;
}

describe('the wait before a retry', () => {
  const backoff = (
    initialDelayMillis: number,
    maxDelayMillis: number,
    multiplier: number,
    jitterRatio: number = 0,
  ): RetryPolicy => ({
    type: 'backoff',
    maxAttempts: 1_000_000,
    initialDelayMillis,
    maxDelayMillis,
    multiplier,
    jitterRatio,
  });

  it('grows up to its bound', () => {
    const policy = backoff(500, 3_000, 2);
    expect([1, 2, 3, 4, 5].map((n) => delayOf(policy, n))).toEqual([500, 1_000, 2_000, 3_000, 3_000]);
  });

  it('is waited at least, and grows, where a downstream asks for none', () => {
    const policy = backoff(500, 3_000, 2);
    let counters = { retries: 0, waits: 0 };
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      const next = nextRetry(policy, counters, failure, {
        direction: 'forward',
        random: () => 0.5,
        retryAfterMillis: i === 4 ? 3_600_000 : 0,
        maxRetryAfterMillis: 10_000,
      });
      waits.push(next?.delayMillis);
      counters = { retries: next?.retries ?? 0, waits: next?.waits ?? 0 };
    }
    expect(waits).toEqual([500, 1_000, 2_000, 3_000, 10_000]);
    expect(counters).toEqual({ retries: 0, waits: 5 });
  });

  it('stays a number however often the factor was applied', () => {
    expect(delayOf(backoff(500, 3_000, 1_000_000), 5_000)).toBe(3_000);
    expect(delayOf(backoff(0, 3_000, 1_000_000), 100)).toBe(0);
    expect(delayOf(backoff(0, 0, 2), 5_000)).toBe(0);
  });

  it('is spread by its jitter', () => {
    const policy = backoff(1_000, 10_000, 2, 0.5);
    expect([0, 0.5, 0.75].map((u) => delayOf(policy, 1, u))).toEqual([500, 1_000, 1_250]);
  });
});
