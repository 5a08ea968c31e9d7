import type { SectionKeys } from '../key.ts';
import { flag, integer } from '../kinds.ts';

/** Keys of the circuit breaker. */
export const circuitBreakerKeys: SectionKeys<'circuitBreaker'> = {
  'circuitBreaker.enabled': {
    meaning:
      'Whether calls to a scheme, host and port that fails again and again wait (BLOCKED) instead of spending their attempts.',
    kind: flag,
    default: true,
  },
  'circuitBreaker.failureThreshold': {
    meaning: 'Failures in a row (5xx, no connection, no answer in time) that open a circuit.',
    kind: integer(1, 1_000_000),
    default: 20,
  },
  'circuitBreaker.openMillis': {
    meaning:
      'How long a circuit stays open at first; then one call probes, and each one that fails doubles it, up to a minute.',
    unit: 'ms',
    kind: integer(1, 86_400_000),
    default: 10_000,
  },
};
