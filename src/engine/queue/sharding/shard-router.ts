import type { Clock } from '../../../ports/clock.ts';
import { processOf, type QueueListener } from '../../../ports/queue.ts';
import type { Held, Ring, Shard, ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { OwnedShards } from './owned-shards.ts';
import { assignShards } from './ownership.ts';

/** What a router needs. */
export interface ShardRouterParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'ring' | 'finish'>;
  readonly count: { readonly inForce: number };
  readonly ownedShards: OwnedShards;
  /** This process among the members. */
  readonly member: string;
  /** Called when another process reports that the members have changed. Must not throw. */
  membersRang(): void;
}

/**
 * Maps shards to their owners by the latest view of the members, and routes rings: to the owner of a shard when an id in
 * it becomes due, and to the holder of an id in flight when that id was enqueued again.
 *
 * Rings are best effort: the sweep and the reconciler find ids whose ring was lost.
 */
export class ShardRouter {
  /** Set when the queue starts. */
  listener: QueueListener | undefined;
  readonly #parts: ShardRouterParts;
  /** Member by shard, of those that work. */
  #owners: readonly string[] = [];

  constructor(parts: ShardRouterParts) {
    this.#parts = parts;
  }

  /** Shards of each member by its id. */
  get shardCounts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const owner of this.#owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return counts;
  }

  /** Indexes of the shards that belong to this process. */
  get ownIndexes(): readonly number[] {
    return this.#owners.flatMap((owner, index) => (owner === this.#parts.member ? [index] : []));
  }

  /** Divides the shards among these members. */
  assign(workers: readonly string[]): void {
    const owners = workers.length === 0 ? [] : assignShards(workers, this.#parts.count.inForce);
    this.#owners = Array.from(owners, (i) => workers[i] ?? '');
  }

  /** Handles a ring from another process. */
  received(ring: Ring): void {
    const { clock, count, ownedShards } = this.#parts;
    if (ring.members === true) this.#parts.membersRang();
    const dueAt = clock.now() + ring.delayMillis;
    const { id, shard, hops = 0 } = ring;
    if (id !== undefined) {
      if (ring.lost !== true) this.listener?.rung(dueAt, id);
      else if (shard !== undefined && this.listener?.unknown(id) !== true) void this.#disown(shard, id);
      return;
    }
    if (shard === undefined || shard.count !== count.inForce) return;
    if (ownedShards.has(shard.index)) {
      ownedShards.rung(shard.index, dueAt);
      this.listener?.rung(dueAt);
      // The sender may have an older view of the members than this process.
    } else if (hops === 0) this.ringOwner({ shard, delayMillis: ring.delayMillis, hops: 1 });
  }

  /** Notifies the owner of the shard that an id in it becomes due. */
  ringOwner(ring: Ring & { readonly shard: Shard }): void {
    const { clock, ownedShards, member } = this.#parts;
    const owner = this.#owners[ring.shard.index];
    if (owner === member) {
      const dueAt = clock.now() + ring.delayMillis;
      ownedShards.rung(ring.shard.index, dueAt);
      this.listener?.rung(dueAt);
    } else if (owner !== undefined) this.ring(owner, ring);
  }

  /** Notifies the process that holds an id in flight that the id was enqueued again. */
  ringHolder(shard: Shard, { id, token }: Held): void {
    const holder = processOf(token);
    if (holder === this.#parts.member) this.listener?.rung(this.#parts.clock.now(), id);
    else this.ring(holder, { shard, delayMillis: 0, id });
  }

  /** Rings a member. Never throws. */
  ring(member: string, ring: Ring): void {
    this.#parts.server.ring(member, ring).catch(() => {
      this.#parts.telemetry.queueFailed('ring');
    });
  }

  /** Releases an id that was reserved for this process, which does not work on it. Never rejects: the reservation ends by itself. */
  async #disown(shard: Shard, id: string): Promise<void> {
    try {
      await this.#parts.server.finish(shard, [{ id, token: '', next: 'back' }]);
      if (shard.count === this.#parts.count.inForce) this.ringOwner({ shard, delayMillis: 0 });
    } catch {
      this.#parts.telemetry.queueFailed('release');
    }
  }
}
