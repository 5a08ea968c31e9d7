/** What the poison count makes of one execution in hand, whose earlier owners ended. */
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Holding } from './driver-contract.ts';

/** How long the process must live on with an execution that was claimed in vain before, in milliseconds. */
const acquittalMillis = 1_000;

/**
 * Watches whether the process lives on with the execution.
 *
 * While it only waits, nobody ends by it: after a while the store forgets the count (the execution is excused). Without this, one
 * that makes long calls would be quarantined for a process that something else kills. Before something is applied to an
 * excused execution, which may be what its owners ended by, the store counts again.
 *
 * What ends it: progress, or the end of the driver.
 */
export class Probation {
  readonly #clock: Clock;
  readonly #cleared: (() => void) | undefined;
  readonly #acquit: () => void;
  #vain: number;
  #timer: Timer | undefined;
  #isExcused = false;

  /**
   * `claims` is how many claims in vain are counted, this one included; `cleared` is called when the execution has shown that it
   * is harmless, at least once. `acquit` lets the store forget the count with the next checkpoint.
   */
  constructor(clock: Clock, { claims = 0, cleared }: Pick<Holding, 'claims' | 'cleared'>, acquit: () => void) {
    this.#clock = clock;
    this.#vain = claims;
    this.#cleared = cleared;
    this.#acquit = acquit;
  }

  /** Begins to watch. */
  begin(): void {
    if (this.#vain <= 1) return;
    this.#timer = this.#clock.after(acquittalMillis, () => {
      this.#timer = undefined;
      this.#acquit();
    });
  }

  /** Claims to be counted again before anything is applied; undefined where they are counted. Begins to watch again. */
  accuse(): number | undefined {
    if (!this.#isExcused) return undefined;
    this.#isExcused = false;
    this.begin();
    return this.#vain;
  }

  /** A checkpoint is durable. `claims` is what it let the store count. */
  written(progress: boolean, claims: number | undefined): void {
    if (this.#vain === 0) return;
    if (progress) {
      this.#vain = 0;
      this.end();
    } else if (claims === 0) {
      this.#isExcused = true;
      this.#cleared?.();
    }
  }

  /** Ends it. A second call does nothing new. */
  end(): void {
    this.#isExcused = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#cleared?.();
  }
}
