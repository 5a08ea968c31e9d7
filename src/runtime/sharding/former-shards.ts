/**
 * Shards of numbers that were in force before: what is left in them means nothing any more, and is dropped once no member works
 * with them. Each member that saw the change drops all of them, because another may have died meanwhile.
 */
import type { Shard, ShardQueue } from '../../ports/shard-queue.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { ClusterMember } from './member-info.ts';

/** Most shards that are dropped with one heartbeat. */
const dropsPerBeat = 256;

/** What former shards stand on. */
export interface FormerShardsParts {
  readonly server: Pick<ShardQueue, 'drop'>;
  readonly telemetry: Telemetry;
  readonly count: { readonly inForce: number };
}

/** See the file header. */
export class FormerShards {
  readonly #parts: FormerShardsParts;
  #shards: Shard[] = [];

  constructor(parts: FormerShardsParts) {
    this.#parts = parts;
  }

  /** That number of shards is in force no more. */
  retire(count: number): void {
    for (let index = 0; index < count; index++) this.#shards.push({ count, index });
  }

  /** Drops some, if `members` lets it; to be called with every heartbeat. What fails is dropped later. */
  drop(members: readonly ClusterMember[]): void {
    const { server, telemetry, count } = this.#parts;
    if (this.#shards.length === 0 || members.some((member) => member.count !== count.inForce)) return;
    for (const shard of this.#shards.splice(0, dropsPerBeat)) {
      // It may have come into force again.
      if (shard.count === count.inForce) continue;
      server.drop(shard).catch(() => {
        telemetry.queueFailed('drop');
        this.#shards.push(shard);
      });
    }
  }
}
