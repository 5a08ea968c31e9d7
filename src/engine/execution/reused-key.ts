/** Which effects of earlier rounds a visit may take over by sending their Idempotency-Key again. */
import type { EffectRow } from '../../ports/store.ts';

/**
 * The key and row of an earlier effect for a call with this fingerprint. Undefined when the request is another one, or when
 * a compensation was tried and not completed: the effect may be gone, and a downstream that remembers the key would answer
 * as if it were not. An effect of unknown outcome without a fingerprint was given up, its process having ended, before its
 * request was rendered again: it counts as the same request, since another key might repeat the effect.
 */
export function reusedKey(
  standing: EffectRow | undefined,
  fingerprint: string | undefined,
): { readonly key: string; readonly ord: number } | undefined {
  if (standing === undefined || fingerprint === undefined) return undefined;
  const isGivenUp = standing.fingerprint === undefined && standing.effect === 'unknown';
  if (standing.fingerprint !== fingerprint && !isGivenUp) return undefined;
  if (standing.undo === 'failed' || standing.undo === 'reopened') return undefined;
  return { key: standing.target.key, ord: standing.target.ord };
}
