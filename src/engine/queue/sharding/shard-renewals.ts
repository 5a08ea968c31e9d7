import type { Clock } from '../../../ports/clock.ts';
import { PartlyRenewed, type Claimed, type Renewal } from '../../../ports/queue.ts';
import type { Shard } from '../../../ports/shard-queue.ts';
import { asFailure, settleMost } from './settling.ts';
import type { ShardClaims } from './shard-claims.ts';

/** What renewals need. */
export interface ShardRenewalsParts {
  readonly clock: Clock;
  readonly claims: Pick<ShardClaims, 'hasOther' | 'serverIdOf' | 'oldestPending' | 'orphanShards' | 'renew'>;
  readonly count: { readonly inForce: number };
}

/**
 * Renews the claims of this process, each server of the queue by itself: a server that hangs does not delay the leases
 * of another, and is not asked again before it has answered.
 *
 * Guarantees: a renewal names all claims held in its shard. A claim without an answer in time counts as not renewed.
 */
export class ShardRenewals {
  readonly #parts: ShardRenewalsParts;
  /** Servers that have not answered their last renewal. */
  readonly #busy = new Set<string>();

  constructor(parts: ShardRenewalsParts) {
    this.#parts = parts;
  }

  /**
   * Extends the leases of the held claims, by shard.
   *
   * @throws PartlyRenewed when some or all of the claims were not renewed.
   */
  async renew(held: ReadonlyMap<number, readonly Claimed[]>, leaseMillis: number): Promise<Renewal> {
    const { clock, claims } = this.#parts;
    const below = claims.oldestPending;
    const groups = new Map(held);
    for (const index of claims.orphanShards) if (!groups.has(index)) groups.set(index, []);
    const lost: Claimed[] = [];
    const revived: Claimed[] = [];
    const unanswered = new Set([...held.values()].flatMap((group) => group.map(({ id }) => id)));
    let failure: Error | undefined;
    let answers = 0;
    const renewShard = async (index: number, group: readonly Claimed[]): Promise<void> => {
      const shard: Shard = { count: this.#parts.count.inForce, index };
      try {
        const renewal = await claims.renew(shard, group, leaseMillis, below);
        lost.push(...renewal.lost);
        revived.push(...renewal.revived);
        for (const { id } of group) unanswered.delete(id);
        answers++;
      } catch (error) {
        failure ??= asFailure(error);
      }
    };
    const servers = [...Map.groupBy(groups, ([index]) => claims.serverIdOf(index))].filter(
      ([serverId]) => !this.#busy.has(serverId),
    );
    const works = servers.map(async ([serverId, shards]) => {
      this.#busy.add(serverId);
      await Promise.all(shards.map(([index, group]) => renewShard(index, group)));
      this.#busy.delete(serverId);
    });
    const asked = new Set(servers.map(([serverId]) => serverId));
    await settleMost(clock, works, () => answers > 0 || claims.hasOther(asked));
    if (failure === undefined && unanswered.size === 0) return { lost, revived };
    const message = failure?.message ?? 'A part of the queue has not answered yet.';
    throw new PartlyRenewed(message, new Set(unanswered), { lost: [...lost], revived: [...revived] });
  }
}
