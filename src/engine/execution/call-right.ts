import type { DriverParts, ClaimedExecution } from './driver-contract.ts';
import type { Permission } from './outgoing-calls.ts';

/**
 * Whether the calls of one execution may go out: only while its lease is sure.
 *
 * Once the driver cannot make a call that the state says is made, it makes no other: it gives the execution back, and
 * the next owner records what is known. Answers of other calls are still taken and offered to the store.
 */
export class CallRight {
  readonly #parts: Pick<DriverParts, 'clock' | 'telemetry'>;
  readonly #execution: Pick<ClaimedExecution, 'lease' | 'dueAt'>;
  /** Whether a call has gone out since this process took the execution over. */
  #dispatched = false;
  #isGivenUp = false;

  constructor(parts: Pick<DriverParts, 'clock' | 'telemetry'>, execution: Pick<ClaimedExecution, 'lease' | 'dueAt'>) {
    this.#parts = parts;
    this.#execution = execution;
  }

  /** Whether the execution makes no more calls here. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Lets no more calls go out. */
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
