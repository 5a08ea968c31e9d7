import { idInShard, slotInShard } from '../core/value/slot.ts';
import type { Entropy } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';

/** Maximum number of owned shards that are considered for a new id while servers of the queue are away. */
const maxMintTries = 64;
/**
 * How long new ids go to the same shard, in ms. Executions that run at the same time then share a shard, so one short step of the queue
 * claims or ends many of them.
 */
const mintMillis = 200;

/** What an {@link IdMint} needs. */
export interface IdMintParts {
  readonly entropy: Entropy;
  readonly queue: Pick<Queue, 'owned' | 'reaches'>;
  /** False for a process that drives no executions. */
  readonly runs: boolean;
}

/** Mints ids of new executions. One per process. */
export class IdMint {
  readonly #parts: IdMintParts;
  /** Since when new ids have gone to the present shard, and the number of that shard among the owned ones, taken modulo. */
  #mintedFrom = -Infinity;
  #mintTurn = 0;

  constructor(parts: IdMintParts) {
    this.#parts = parts;
  }

  /**
   * A new id. If possible it belongs to a shard that this process owns and whose server answers, so that the execution can start here at
   * once without a message to another process. The owned shards take turns.
   */
  mint(now: number): string {
    const { queue, entropy, runs } = this.#parts;
    const id = entropy.uuid(now);
    const { count, shards } = queue.owned;
    if (!runs || count === 1 || shards.length === 0) return id;
    if (Math.abs(now - this.#mintedFrom) >= mintMillis) {
      this.#mintedFrom = now;
      this.#mintTurn++;
    }
    let own: string | undefined;
    for (let tries = 0; tries < Math.min(shards.length, maxMintTries); tries++) {
      const index = shards[(this.#mintTurn + tries) % shards.length] as number;
      const isReached = queue.reaches?.(slotInShard(count, index)) ?? true;
      if (!isReached && own !== undefined) continue;
      own = idInShard(id, count, index) ?? own;
      if (isReached && own !== undefined) return own;
    }
    return own ?? id;
  }
}
