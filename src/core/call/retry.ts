/**
 * Whether and when a failed attempt is repeated.
 */
import type { RetryPolicy } from '../plan.ts';
import type { AttemptFailure } from '../state.ts';

/** How often a Retry-After is waited for per visit before it is an ordinary failure. */
const maxRetryAfterWaits = 100;

/** Answers that say that the same request will fail again. */
const hopelessStatuses: ReadonlySet<number> = new Set([400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 501]);

/** Whether a policy retries such a failure at all. Compensations are retried whatever the failure unless the policy lists. */
function isRetryable(policy: RetryPolicy, failure: AttemptFailure, direction: 'forward' | 'compensation'): boolean {
  if (policy.maxAttempts === 0) return false;
  // Nothing that could not even be rendered, or was refused by policy, gets better by repeating it.
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

/** The wait before the n-th retry (from 1), in milliseconds. `u` is uniform in [0, 1). */
function retryDelay(policy: RetryPolicy, n: number, u: number): number {
  if (policy.type === 'retry') return policy.delayMillis;
  // Nothing times an infinite power would be no number at all.
  const factor = Math.min(policy.multiplier ** (n - 1), Number.MAX_VALUE);
  const base = Math.min(policy.initialDelayMillis * factor, policy.maxDelayMillis);
  return Math.max(0, Math.round(base * (1 + policy.jitterRatio * (2 * u - 1))));
}

/** The counters that a running call carries. */
export interface RetryCounters {
  readonly retries: number;
  readonly waits: number;
}

/** When to repeat and what it costs, or undefined when the attempts are used up. */
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
    // At least the policy's own wait, which grows: a downstream that asks for none must not be stormed.
    const tries = counters.retries + counters.waits + 1;
    const delayMillis = Math.max(least, retryDelay(policy, tries, options.random()));
    return { retries: counters.retries, waits: counters.waits + 1, delayMillis };
  }
  if (counters.retries >= policy.maxAttempts) return undefined;
  const retries = counters.retries + 1;
  return { retries, waits: counters.waits, delayMillis: retryDelay(policy, retries, options.random()) };
}
