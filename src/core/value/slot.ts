/** How many slots executions are spread over; virtual shards are ranges of slots. */
const slotCount = 16_384;

/** Some of `count` virtual shards, each a range of slots; see {@link shardOf}. */
export interface ShardSet {
  /** 1 to 16384. */
  readonly count: number;
  /** Distinct, 0 to `count` - 1. */
  readonly shards: readonly number[];
}

/** Every slot. */
export const wholeShardSet: ShardSet = { count: 1, shards: [0] };

/** The virtual shard of a slot where there are `count`. */
export function shardOf(slot: number, count: number): number {
  return Math.floor((slot * count) / slotCount);
}

/** Whether a slot falls into one of the shards. */
export function isInShards({ count, shards }: ShardSet, slot: number): boolean {
  return shards.includes(shardOf(slot, count));
}

/**
 * The slot of an execution, 0 to 16383: FNV-1a (32 bit, folded) over the id's characters. Stable for ever: stored rows
 * depend on it.
 */
export function slotOf(executionId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < executionId.length; i++) {
    hash ^= executionId.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return ((hash >>> 14) ^ hash) & (slotCount - 1);
}
