/** Waits for many requests at once, of which one may fail or hang. */
import type { Clock } from '../../../ports/clock.ts';
import { QueueUnavailable } from '../../../ports/queue.ts';

/** How long the shards of one server wait for the answer of another, in ms. */
const graceMillis = 250;

/** Runs `act` for every item, whatever fails, then throws the first failure. */
export async function settleAll<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const answers = await Promise.allSettled(items.map((item) => act(item)));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined) throw asFailure(failed.reason);
}

/** The reason of a rejection as an error. */
export function asFailure(reason: unknown): Error {
  return reason instanceof Error ? reason : new QueueUnavailable(String(reason));
}

/**
 * Resolves once all of `works` are over; from {@link graceMillis} on as soon as `isEnough`, which is asked then and whenever
 * another one ends. None of them may reject.
 */
export function settleMost(clock: Clock, works: readonly Promise<void>[], isEnough: () => boolean): Promise<void> {
  if (works.length === 0) return Promise.resolve();
  return new Promise((resolve) => {
    let left = works.length;
    let isLate = false;
    const look = (): void => {
      if (left > 0 && !(isLate && isEnough())) return;
      timer.cancel();
      resolve();
    };
    const timer = clock.after(graceMillis, () => {
      isLate = true;
      look();
    });
    for (const work of works) {
      void work.then(() => {
        left--;
        look();
      });
    }
  });
}
