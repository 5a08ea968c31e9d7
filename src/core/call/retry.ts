import type { RetryPolicy } from '../plan.ts';
import type { AttemptFailure } from '../state.ts';

/** Maximum number of Retry-After waits per visit; further ones count as ordinary failures. */
const maxRetryAfterWaits = 100;

/** Statuses after which the same request would fail again. */
export const hopelessStatuses: ReadonlySet<number> = new Set([400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 501]);

/**
 * Whether a policy retries a failure at all. Unless the policy has a `retryOn`, compensations are retried after every
 * failure.
 */
function isRetryable(policy: RetryPolicy, failure: AttemptFailure, direction: 'forward' | 'compensation'): boolean {
  if (policy.maxAttempts === 0) return false;
  // A request that could not be rendered, or that a policy refused, would fail again.
  if (failure.outcome === 'unsent' && failure.error === undefined) return false;
  const on = policy.retryOn;
  if (on !== undefined) {
    const { statusCode, error } = failure;
    if (error !== undefined) return on.errors.has(error);
    return (
      statusCode !== undefined && (on.statusCodes.has(statusCode) || on.statusClasses.has(Math.floor(statusCode / 100)))
    );
  }
  if (direction === 'compensation') return true;
  if (failure.error === 'callback_failure') return false;
  return failure.statusCode === undefined || failure.error !== undefined || !hopelessStatuses.has(failure.statusCode);
}

/** The delay before the n-th retry (from 1), in milliseconds. `u` is uniform in [0, 1). */
function retryDelay(policy: RetryPolicy, n: number, u: number): number {
  if (policy.type === 'retry') return policy.delayMillis;
  // Prevents 0 × Infinity, which is NaN.
  const factor = Math.min(policy.multiplier ** (n - 1), Number.MAX_VALUE);
  const base = Math.min(policy.initialDelayMillis * factor, policy.maxDelayMillis);
  return Math.max(0, Math.round(base * (1 + policy.jitterRatio * (2 * u - 1))));
}

/** The retry counters of a call. */
export interface RetryCounters {
  readonly retries: number;
  readonly waits: number;
}

/** Decides whether and when a failed attempt is repeated: the delay and the new counters, or undefined to give up. */
export function nextRetry(
  policy: RetryPolicy,
  counters: RetryCounters,
  failure: AttemptFailure,
  options: {
    readonly direction: 'forward' | 'compensation';
    readonly random: () => number;
    /** Retry-After of a 429 or 503, in milliseconds. */
    readonly retryAfterMillis?: number;
    readonly maxRetryAfterMillis: number;
  },
): (RetryCounters & { readonly delayMillis: number }) | undefined {
  if (!isRetryable(policy, failure, options.direction)) return undefined;
  const after = options.retryAfterMillis;
  if (after !== undefined && counters.waits < maxRetryAfterWaits) {
    const least = Math.min(Math.max(0, after), options.maxRetryAfterMillis);
    // Wait at least as long as the policy asks, with growing delays: a Retry-After of 0 must not cause a storm of
    // calls.
    const tries = counters.retries + counters.waits + 1;
    const delayMillis = Math.max(least, retryDelay(policy, tries, options.random()));
    return { retries: counters.retries, waits: counters.waits + 1, delayMillis };
  }
  if (counters.retries >= policy.maxAttempts) return undefined;
  const retries = counters.retries + 1;
  return { retries, waits: counters.waits, delayMillis: retryDelay(policy, retries, options.random()) };
}
