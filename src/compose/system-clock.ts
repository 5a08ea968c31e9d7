import type { Clock, Timer } from '../ports/clock.ts';

/** Longest delay of a Node timer; a longer one would fire at once. */
const maxTimerMillis = 2_147_483_647;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(millis, fire): Timer {
    let rest = Math.max(0, millis);
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leg = Math.min(rest, maxTimerMillis);
      rest -= leg;
      timer = setTimeout(rest > 0 ? arm : fire, leg);
    };
    arm();
    return {
      cancel() {
        clearTimeout(timer);
      },
    };
  },
};
