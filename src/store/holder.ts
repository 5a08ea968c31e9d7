import { inFlight } from '../core/due.ts';
import type { State } from '../core/state.ts';
import { processOf } from '../ports/queue.ts';
import type { OfferResult } from '../ports/store.ts';

/** The result of an accepted offer. It names the holder only if a call is in progress; otherwise the claim may be stale. */
export function acceptedOf(
  state: State,
  claim: string | null | undefined,
  { woken }: Pick<Extract<OfferResult, { kind: 'accepted' }>, 'woken'> = {},
): OfferResult {
  const accepted = { kind: 'accepted', ...(woken === undefined ? undefined : { woken }) } as const;
  if (claim === null || claim === undefined || inFlight(state).length === 0) return accepted;
  return { ...accepted, heldBy: processOf(claim) };
}
