/** Number of slots that executions are distributed over; virtual shards are ranges of slots. */
const slotCount = 16_384;

/** A subset of `count` virtual shards, each of which is a range of slots; see {@link shardOf}. */
export interface ShardSet {
  /** 1 to 16384. */
  readonly count: number;
  /** Distinct numbers from 0 to `count` - 1. */
  readonly shards: readonly number[];
}

/** The set that contains every slot. */
export const wholeShardSet: ShardSet = { count: 1, shards: [0] };

/** The virtual shard of a slot, given the number of shards. */
export function shardOf(slot: number, count: number): number {
  return Math.floor((slot * count) / slotCount);
}

/** Whether a slot belongs to one of the shards. */
export function isInShards({ count, shards }: ShardSet, slot: number): boolean {
  return shards.includes(shardOf(slot, count));
}

/**
 * The slot of an execution, 0 to 16383: 32-bit FNV-1a over the characters of the id, folded. Must never change, since
 * stored rows depend on it.
 */
export function slotOf(executionId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < executionId.length; i++) {
    hash ^= executionId.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return ((hash >>> 14) ^ hash) & (slotCount - 1);
}
