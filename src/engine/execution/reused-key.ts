import type { ReusedEffect } from '../../core/event.ts';
import type { EffectRow } from '../../ports/store.ts';

/**
 * The key and row of an earlier round's effect that a call with this fingerprint takes over by sending the same
 * Idempotency-Key. Undefined if the request differs, or if a compensation was attempted but not completed: the effect
 * may be gone, but a downstream that remembers the key would answer as if it still existed. An effect of unknown outcome
 * without a fingerprint counts as the same request, because another key might repeat the effect; its process ended, and
 * it was given up before its request was rendered again.
 */
export function reusedKey(standing: EffectRow | undefined, fingerprint: string | undefined): ReusedEffect | undefined {
  if (standing === undefined || fingerprint === undefined) return undefined;
  const isGivenUp = standing.fingerprint === undefined && standing.effect === 'unknown';
  if (standing.fingerprint !== fingerprint && !isGivenUp) return undefined;
  if (standing.undo === 'failed' || standing.undo === 'reopened') return undefined;
  return { key: standing.target.key, ord: standing.target.ord, begunAt: standing.begunAt };
}
