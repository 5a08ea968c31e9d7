/** Runs work on items of several virtual shards, each shard by itself. */
import { shardOf } from '../../../core/value/slot.ts';
import { QueuePartlyUnavailable } from '../../../ports/queue.ts';
import type { Shard } from '../../../ports/shard-queue.ts';
import { asFailure, settleAll } from './settling.ts';

/** The items of each shard of `count`, by its index. */
export function groupByShard<T extends { readonly slot: number }>(
  items: readonly T[],
  count: number,
): Map<number, T[]> {
  return Map.groupBy(items, ({ slot }) => shardOf(slot, count));
}

/**
 * Calls `act` for every shard of `count` that has items.
 *
 * @throws QueuePartlyUnavailable where some shards succeeded; otherwise the last failure.
 */
export async function perShard<T extends { readonly id: string; readonly slot: number }>(
  count: number,
  items: readonly T[],
  act: (shard: Shard, group: readonly T[]) => Promise<void>,
): Promise<void> {
  const failed = new Set<string>();
  let done = 0;
  let reason: unknown;
  await settleAll([...groupByShard(items, count)], async ([index, group]) => {
    try {
      await act({ count, index }, group);
      done++;
    } catch (error) {
      reason = error;
      for (const { id } of group) failed.add(id);
    }
  });
  if (failed.size === 0) return;
  const failure = asFailure(reason);
  throw done === 0 ? failure : new QueuePartlyUnavailable(failure.message, failed);
}
