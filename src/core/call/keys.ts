/**
 * Idempotency keys: equal across retries and redeliveries of one operation, different for everything else.
 */
import type { CallPhase } from '../context/context.ts';

/**
 * `<executionId>:<round>:<nodeId>:<visit>:<phase>`; operations after the first (a retry after a callback that said
 * failure) add `.<n>`.
 */
export function idempotencyKey(
  executionId: string,
  round: number,
  nodeId: string,
  visit: number,
  phase: CallPhase,
  operation: number = 1,
): string {
  const key = `${executionId}:${String(round)}:${nodeId}:${String(visit)}:${phase}`;
  return operation === 1 ? key : `${key}.${String(operation)}`;
}
