/** Which effects of earlier rounds a visit may take over by sending their Idempotency-Key again. */
import type { EffectRow } from '../ports/store.ts';

/**
 * The key and row of an earlier effect for a call with this fingerprint. Undefined when the request is another one, or when
 * a compensation was tried and not completed: the effect may be gone, and a downstream that remembers the key would answer
 * as if it were not.
 */
export function reusedKey(
  standing: EffectRow | undefined,
  fingerprint: string | undefined,
): { readonly key: string; readonly ord: number } | undefined {
  if (standing === undefined || fingerprint === undefined || standing.fingerprint !== fingerprint) return undefined;
  if (standing.undo === 'failed' || standing.undo === 'reopened') return undefined;
  return { key: standing.target.key, ord: standing.target.ord };
}
