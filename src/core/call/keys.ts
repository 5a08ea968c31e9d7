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
  // The short end first: every piece that is added to the long id makes a further text.
  const end = `:${String(round)}:${nodeId}:${String(visit)}:${phase}`;
  const key = `${executionId}${end}`;
  return operation === 1 ? key : `${key}.${String(operation)}`;
}

/** The key of a visit, without phase and operation: the same for its call, its compensation and its conditions. */
export function visitKey(executionId: string, round: number, nodeId: string, visit: number): string {
  return `${executionId}:${String(round)}:${nodeId}:${String(visit)}`;
}

/** The key of the visit whose forward call has this idempotency key. */
export function visitKeyOf(key: string): string {
  return key.replace(/:UP(?:\.\d+)?$/, '');
}
