/** Many things at once, where one that fails must keep no other from being done. */
import { QueueUnavailable } from '../../../ports/queue.ts';

/** Does all of it, whatever fails, then throws the first failure. */
export async function settleAll<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const answers = await Promise.allSettled(items.map((item) => act(item)));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined) throw asFailure(failed.reason);
}

/** What a promise was rejected with, as an error. */
export function asFailure(reason: unknown): Error {
  return reason instanceof Error ? reason : new QueueUnavailable(String(reason));
}
