/** Who has an execution in hand, by what is stored of it. */
import { inFlight } from '../core/due.ts';
import type { State } from '../core/state.ts';
import { processOf } from '../ports/queue.ts';
import type { OfferResult } from '../ports/store.ts';

/** What an accepted offer answers. Only an execution with a call under way is in hand for certain. */
export function acceptedOf(state: State, claim: string | null | undefined): OfferResult {
  if (claim === null || claim === undefined || inFlight(state).length === 0) return { kind: 'accepted' };
  return { kind: 'accepted', heldBy: processOf(claim) };
}
