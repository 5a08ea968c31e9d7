import type { ReusedEffect } from '../../core/event.ts';
import { isOfPlaces, placesOf } from '../../core/context/scope.ts';
import type { Run } from '../../core/run.ts';
import type { State, Token } from '../../core/state.ts';
import type { EffectRow, Store } from '../../ports/store.ts';

/**
 * The key and row of an earlier round's effect that a call with this fingerprint takes over by sending the same
 * Idempotency-Key. Undefined if the request differs, or if a compensation was attempted but not completed: the effect
 * may be gone, but a downstream that remembers the key would answer as if it still existed. An effect of unknown outcome
 * without a fingerprint counts as the same request, because another key might repeat the effect; its process ended, and
 * it was given up before its request was rendered again.
 */
function reusedKey(standing: EffectRow | undefined, fingerprint: string | undefined): ReusedEffect | undefined {
  if (standing === undefined || fingerprint === undefined) return undefined;
  const isGivenUp = standing.fingerprint === undefined && standing.effect === 'unknown';
  if (standing.fingerprint !== fingerprint && !isGivenUp) return undefined;
  if (standing.undo === 'failed' || standing.undo === 'reopened') return undefined;
  return { key: standing.target.key, ord: standing.target.ord, begunAt: standing.begunAt };
}

/** What finds effects of earlier rounds. */
type Reads = Pick<Store, 'findStanding' | 'listStandingRequests'>;

/**
 * The effect of an earlier round that the visit of a token takes over, if its request is the same. Outside of loops it
 * is that of the same visit. Within a loop the numbers of visits say nothing, since items may come in another order: it
 * is that of the same request, first of the item at the same place, and each effect once.
 */
export async function findReused(
  reads: Reads,
  run: Run,
  { id, nodeId, scope }: Token,
  visit: number,
  fingerprint: string | undefined,
): Promise<(current: State) => ReusedEffect | undefined> {
  const { header, state } = run;
  const item = placesOf(scope);
  if (item === undefined) {
    const standing = await reads.findStanding(header.id, nodeId, visit, state.round);
    return () => reusedKey(standing, fingerprint);
  }
  if (fingerprint === undefined) return () => undefined;
  const found = await reads.listStandingRequests(header.id, nodeId, state.round, fingerprint);
  return (current) => {
    const taken = takenBy(current, id);
    const free = found.filter(
      (effect) =>
        !taken.has(effect.target.ord) &&
        (effect.fingerprint !== undefined || isOfPlaces(effect.target.scope, item)) &&
        reusedKey(effect, fingerprint) !== undefined,
    );
    const [first] = free;
    return reusedKey(free.find(({ target }) => isOfPlaces(target.scope, item)) ?? first, fingerprint);
  };
}

/** The ords of the effects that other tokens take over. */
function takenBy({ tokens }: State, id: number): ReadonlySet<number> {
  return new Set(
    tokens.flatMap(({ id: other, stage }) => {
      const ord = 'task' in stage ? stage.task.supersedes : undefined;
      return ord === undefined || other === id ? [] : [ord];
    }),
  );
}
