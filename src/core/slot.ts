/** How many slots executions are spread over; virtual shards are ranges of slots. */
export const slotCount = 16_384;

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
