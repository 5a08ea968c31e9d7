import type { Clock, Timer } from '../../ports/clock.ts';
import type { ClaimedExecution } from './driver-contract.ts';

/** How long the process must live on with an execution that was claimed without progress before, in milliseconds. */
const survivalMillis = 1_000;

/**
 * Keeps the count of claims without progress of one execution right, by which an execution that brings down its owners is quarantined.
 *
 * While the process only waits for the execution, the execution does not bring it down: after a while the store forgets the count. Without
 * this, an execution that makes long calls would be quarantined for a process that something else kills. Before another event is applied,
 * which may be what its owners ended by, the store counts again.
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
   * `claims` is the number of claims without progress, this one included; `cleared` is called at least once, when the execution has shown
   * that it is harmless. `forget` lets the store forget the count with the next checkpoint.
   */
  constructor(clock: Clock, { claims = 0, cleared }: Pick<ClaimedExecution, 'claims' | 'cleared'>, forget: () => void) {
    this.#clock = clock;
    this.#claims = claims;
    this.#cleared = cleared;
    this.#forget = forget;
  }

  /** Begins to watch. */
  begin(): void {
    if (this.#claims <= 1) return;
    this.#timer = this.#clock.after(survivalMillis, () => {
      this.#timer = undefined;
      this.#forget();
    });
  }

  /** The claims to count again before anything is applied, if the store has forgotten them. Begins to watch again. */
  countAgain(): number | undefined {
    if (!this.#isForgotten) return undefined;
    this.#isForgotten = false;
    this.begin();
    return this.#claims;
  }

  /** A checkpoint is durable. `claims` is the count that it set. */
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

  /** Stops watching. A second call does nothing new. */
  end(): void {
    this.#isForgotten = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#cleared?.();
  }
}
