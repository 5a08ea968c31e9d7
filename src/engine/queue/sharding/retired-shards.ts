import type { Clock } from '../../../ports/clock.ts';
import type { ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { ClusterMember } from './member-info.ts';
import { settleAll } from './settling.ts';
import type { ShardCount } from './shard-count.ts';

/** Shards dropped at once: their requests leave in one write. */
const shardsAtOnce = 64;

/** What retired shards need. */
export interface RetiredShardsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'drop'>;
  readonly count: Pick<ShardCount, 'inForce' | 'retired' | 'forget'>;
  /** How long a count must have been out of use, here and elsewhere, before its shards are dropped. */
  readonly restMillis: number;
}

/**
 * Drops the shards of a count that is no longer in force: no process would ever claim their ids. Waits until, according
 * to the members, no process uses the old count.
 *
 * Every process that has used the count drops its shards, and so does every process that finds it among the retired
 * counts of the store. So the last process to notice the change, which has used the old shards until then, drops them
 * last.
 */
export class RetiredShards {
  readonly #parts: RetiredShardsParts;
  /** Counts, and when each was last known to be in use, by the monotonic clock. */
  readonly #counts = new Map<number, number>();
  #dropping = false;

  constructor(parts: RetiredShardsParts) {
    this.#parts = parts;
  }

  /** Notes that this process no longer uses the count. */
  retire(count: number): void {
    this.#counts.set(count, this.#parts.clock.monotonic());
  }

  /** Drops the shards of a count that has rested for long enough. Never throws: the next call repeats what fails. */
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
