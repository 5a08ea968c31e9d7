import type { Clock } from '../../../ports/clock.ts';
import type { ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { ClusterMember } from './member-info.ts';
import { settleAll } from './settling.ts';
import type { ShardCount } from './shard-count.ts';

/** Shards dropped at once: as many requests leave in one write. */
const shardsAtOnce = 64;

/** What retired shards stand on. */
export interface RetiredShardsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'drop'>;
  readonly count: Pick<ShardCount, 'inForce' | 'retired' | 'forget'>;
  /** How long after a count was seen in use, here or elsewhere, its shards are left alone. */
  readonly restMillis: number;
}

/**
 * Shards of a count that is not in force any more: what is still in them means nothing, and would stay in the server for
 * ever. They are dropped once no process works by the old count, so far as the members say.
 *
 * Every process does that which has worked by the count itself, so that one that learns of the change last, and has used the
 * old shards until then, cleans up last; and every one that finds in the store that nobody has done it yet.
 */
export class RetiredShards {
  readonly #parts: RetiredShardsParts;
  /** Counts, and when each was last known to be in use, by the monotonic clock. */
  readonly #counts = new Map<number, number>();
  #dropping = false;

  constructor(parts: RetiredShardsParts) {
    this.#parts = parts;
  }

  /** This process works by that count no more. */
  retire(count: number): void {
    this.#counts.set(count, this.#parts.clock.monotonic());
  }

  /** Drops what has rested for long enough. Never throws: what fails is tried again at the next call. */
  async drop(members: readonly ClusterMember[]): Promise<void> {
    const { inForce, retired } = this.#parts.count;
    const now = this.#parts.clock.monotonic();
    for (const count of retired) if (!this.#counts.has(count)) this.#counts.set(count, now);
    this.#counts.delete(inForce);
    for (const { count } of members) if (this.#counts.has(count)) this.#counts.set(count, now);
    const [rested] = [...this.#counts].find(([, seenAt]) => now - seenAt >= this.#parts.restMillis) ?? [];
    if (rested === undefined || this.#dropping) return;
    this.#dropping = true;
    const { server, telemetry, count } = this.#parts;
    try {
      for (let first = 0; first < rested; first += shardsAtOnce) {
        const group = Array.from({ length: Math.min(shardsAtOnce, rested - first) }, (_, i) => first + i);
        await settleAll(group, (index) => server.drop({ count: rested, index }));
        if (this.#counts.get(rested) === undefined) return;
      }
      await count.forget(rested);
      this.#counts.delete(rested);
    } catch (error) {
      telemetry.queueFailed('drop');
      telemetry.log('warn', 'shards of a former number are still there', { count: rested, error: String(error) });
    } finally {
      this.#dropping = false;
    }
  }
}
