/** Whether the calls of one execution in hand may go out. */
import type { DriverParts, ClaimedExecution } from './driver-contract.ts';
import type { Permission } from './outgoing-calls.ts';

/**
 * Says yes only while the lease holds and is sure. Once a call that the state says is made could not be, no other is: the
 * execution is given back, and its next owner clears that up. Answers of other calls are still taken and offered to the store.
 */
export class CallRight {
  readonly #parts: Pick<DriverParts, 'clock' | 'telemetry'>;
  readonly #execution: Pick<ClaimedExecution, 'lease' | 'dueAt'>;
  /** Whether a call has gone out since it was taken in hand. */
  #dispatched = false;
  #isGivenUp = false;

  constructor(parts: Pick<DriverParts, 'clock' | 'telemetry'>, execution: Pick<ClaimedExecution, 'lease' | 'dueAt'>) {
    this.#parts = parts;
    this.#execution = execution;
  }

  /** Whether it makes no more calls. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** No more calls. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Whether a call may go out now. */
  ask(): Permission {
    if (this.#isGivenUp) return 'denied';
    const { clock, telemetry } = this.#parts;
    const { lease, dueAt } = this.#execution;
    const { standing } = lease;
    if (standing === 'doubtful') return 'later';
    if (standing === 'sure') {
      if (!this.#dispatched) {
        this.#dispatched = true;
        telemetry.dispatched(Math.max(0, clock.now() - dueAt));
      }
      return 'granted';
    }
    // The checkpoint says `calling`, so the next owner records an attempt of unknown outcome: possible, if pessimistic.
    telemetry.fenced('lease');
    this.giveUp();
    return 'denied';
  }
}
