/** Many requests at once to several servers, of which one may hang. */
import type { Clock } from '../../../ports/clock.ts';

/** How long the shards of one server wait for the answer of another, in ms. */
const graceMillis = 250;

/**
 * Resolves once all of them are over; from {@link graceMillis} on as soon as `isEnough`, which is asked then and whenever another one
 * ends. None of them may reject.
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
