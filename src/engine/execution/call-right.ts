import type { DriverParts, ClaimedExecution } from './driver-contract.ts';
import type { Permission } from '../call/permission.ts';

/**
 * Decides whether the calls of one execution may go out: only while its lease is sure.
 *
 * When the driver cannot make a call that the durable state marks as calling, it makes no further calls and releases the
 * execution; the next owner records the attempt. The driver still offers the answers of other calls to the store.
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
    // The checkpoint already says `calling`, so the next owner records an attempt of unknown outcome: pessimistic, but safe.
    telemetry.fenced('lease');
    this.giveUp();
    return 'denied';
  }
}
