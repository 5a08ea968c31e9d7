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
  return folded(hashOf(executionId, executionId.length));
}

/** The first slot of a shard. */
export function slotInShard(count: number, index: number): number {
  return Math.ceil((index * slotCount) / count);
}

/**
 * The id with other last three digits (hexadecimal), so that its slot belongs to the shard. Undefined if no digits do,
 * which is likely for more than a thousand shards only. Takes about `count` short steps.
 */
export function idInShard(id: string, count: number, index: number): string | undefined {
  const kept = id.length - 3;
  const start = hashOf(id, kept);
  const [from, to] = [slotInShard(count, index), slotInShard(count, index + 1)];
  const own = Number.parseInt(id.slice(kept), 16);
  for (let n = 0; n < 256; n++) {
    const two = ((own >> 4) + n) & 255;
    const hash = hashed(hashed(start, digitCode(two >> 4)), digitCode(two & 15));
    for (let last = own; last < own + 16; last++) {
      const slot = folded(hashed(hash, digitCode(last & 15)));
      if (slot < from || slot >= to) continue;
      return id.slice(0, kept) + ((two << 4) | (last & 15)).toString(16).padStart(3, '0');
    }
  }
  return undefined;
}

function hashOf(text: string, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = hashed(hash, text.charCodeAt(i));
  return hash;
}

function hashed(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

function folded(hash: number): number {
  return ((hash >>> 14) ^ hash) & (slotCount - 1);
}

/** The character code of a hexadecimal digit. */
function digitCode(digit: number): number {
  return digit < 10 ? 48 + digit : 87 + digit;
}
