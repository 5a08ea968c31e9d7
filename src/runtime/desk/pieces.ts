import type { Clock } from '../../ports/clock.ts';

/** How long one piece of a page may take, in milliseconds, before others get their turn of the event loop. */
const pieceMillis = 20;

/**
 * Maps the items of a page one after the other. Between two of them it lets everything else have its turn, as soon as {@link pieceMillis}
 * have passed since the last time: a page of large documents is masked and written in many turns, not in one.
 */
export async function mapInPieces<T, R>(
  clock: Pick<Clock, 'monotonic' | 'after'>,
  items: readonly T[],
  map: (item: T) => R,
): Promise<R[]> {
  const mapped: R[] = [];
  let begun = clock.monotonic();
  for (const item of items) {
    if (clock.monotonic() - begun >= pieceMillis) {
      await new Promise<void>((resolve) => {
        clock.after(0, resolve);
      });
      begun = clock.monotonic();
    }
    mapped.push(map(item));
  }
  return mapped;
}
