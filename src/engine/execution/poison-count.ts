import type { Clock, Timer } from '../../ports/clock.ts';
import type { ClaimedExecution } from './driver-contract.ts';

/** How long the process must survive an execution with earlier claims without progress, in milliseconds. */
const survivalMillis = 1_000;

/**
 * Maintains the count of an execution's claims without progress. A high count quarantines an execution that crashes its owners.
 *
 * An execution that only waits does not crash its process, so after a while the store clears the count. Otherwise an execution with long
 * calls would be quarantined when something else kills its processes. Before the driver applies another event, which may be the one that
 * crashed the former owners, the store restores the count.
 *
 * What stops it: progress, or the end of the driver.
 */
export class PoisonCount {
  readonly #clock: Clock;
  readonly #cleared: (() => void) | undefined;
  readonly #forget: () => void;
  #claims: number;
  #timer: Timer | undefined;
  #isForgotten = false;

  /**
   * `claims` is the number of claims without progress, this one included. `cleared` is called at least once, when the execution has proved
   * harmless. `forget` makes the next checkpoint clear the count.
   */
  constructor(clock: Clock, { claims = 0, cleared }: Pick<ClaimedExecution, 'claims' | 'cleared'>, forget: () => void) {
    this.#clock = clock;
    this.#claims = claims;
    this.#cleared = cleared;
    this.#forget = forget;
  }

  /** Starts the survival timer. */
  begin(): void {
    if (this.#claims <= 1) return;
    this.#timer = this.#clock.after(survivalMillis, () => {
      this.#timer = undefined;
      this.#forget();
    });
  }

  /** The count to restore before an event is applied, if the store has cleared it. Restarts the survival timer. */
  countAgain(): number | undefined {
    if (!this.#isForgotten) return undefined;
    this.#isForgotten = false;
    this.begin();
    return this.#claims;
  }

  /** Notes a durable checkpoint. `claims` is the count that it set. */
  written(progress: boolean, claims: number | undefined): void {
    if (this.#claims === 0) return;
    if (progress) {
      this.#claims = 0;
      this.end();
    } else if (claims === 0) {
      this.#isForgotten = true;
      this.#cleared?.();
    }
  }

  /** Stops the timer. A second call has no further effect. */
  end(): void {
    this.#isForgotten = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#cleared?.();
  }
}
