import type { Draft } from '../draft.ts';
import type { Token } from '../state.ts';
import { itemsOf } from '../context/scope.ts';
import { failExecution, placesIn } from '../transition/failure.ts';
import { loopOf } from '../transition/loop.ts';

/** Maximum number of visits of a round, in all items of loops together. */
export const maxVisits = 1_000_000;

/**
 * Counts a visit. If the round, or the item of a loop, has reached its limit of visits, fails the execution and returns
 * undefined. The limit guards against endless loops of the graph, so it counts each item of a list by itself.
 */
export function countVisit(d: Draft, token: Token, nodeId: string): number | undefined {
  const { limits } = d.env;
  const limit = Math.min(d.plan.maxNodeVisits ?? limits.maxNodeVisits, limits.maxNodeVisitsCap);
  const item = itemsOf(token.scope).at(-1);
  const loop = item && loopOf(d, token.scope);
  const made =
    loop === undefined
      ? d.state.totalVisits - (d.state.itemVisits ?? 0)
      : (loop.stage.loop.running.find(({ place }) => place === item?.place)?.visits ?? 0);
  if (made >= limit || d.state.totalVisits >= maxVisits) {
    const description =
      made < limit
        ? `The round made ${String(maxVisits)} node visits, which is the limit of all.`
        : `The ${loop === undefined ? 'round' : 'item'} made ${String(limit)} node visits, which is its limit (maxNodeVisits).`;
    failExecution(d, { status: 'FAILED', reason: 'visits', description, nodeId, ...placesIn(token) }, token);
    return undefined;
  }
  if (loop !== undefined) {
    d.state.itemVisits = (d.state.itemVisits ?? 0) + 1;
    const running = loop.stage.loop.running.map((one) =>
      one.place === item?.place ? { ...one, visits: one.visits + 1 } : one,
    );
    d.move(loop, { ...loop.stage, loop: { ...loop.stage.loop, running } });
  }
  const { visits } = d.state;
  const visit = (Object.hasOwn(visits, nodeId) ? (visits[nodeId] ?? 0) : 0) + 1;
  d.state.visits = { ...visits, [nodeId]: visit };
  d.state.totalVisits++;
  return visit;
}
