import type { CallPhase } from '../context/context.ts';

/**
 * The idempotency key of an operation: `<executionId>:<round>:<nodeId>:<visit>:<phase>`. Equal for all retries and
 * redeliveries of the operation, and different for every other operation. Operations after the first, which follow a
 * callback that reported failure, append `.<n>`.
 */
export function idempotencyKey(
  executionId: string,
  round: number,
  nodeId: string,
  visit: number,
  phase: CallPhase,
  operation: number = 1,
): string {
  // Joined at once: each of eight concatenations would make a further text.
  const key = [executionId, round, nodeId, visit, phase].join(':');
  return operation === 1 ? key : `${key}.${String(operation)}`;
}
