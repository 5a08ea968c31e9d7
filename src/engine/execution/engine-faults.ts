import type { Clock, Timer } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { backoffMillis } from '../write/availability.ts';
import type { ClaimedExecution } from './driver-contract.ts';
import { ForbiddenModeChange } from './driver-modes.ts';

const maxFaults = 5;

/** Counts and logs the engine's faults on one execution, and pauses after each of them. */
export class EngineFaults {
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #execution: Pick<ClaimedExecution, 'lease' | 'traceId'>;
  #count = 0;
  #timer: Timer | undefined;

  constructor(
    { clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry },
    execution: Pick<ClaimedExecution, 'lease' | 'traceId'>,
  ) {
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#execution = execution;
  }

  /** Whether the driver must quarantine the execution instead of retrying. */
  get areTooMany(): boolean {
    return this.#count > maxFaults;
  }

  /** Whether the quarantine has failed, too. */
  get areHopeless(): boolean {
    return this.#count > maxFaults + 1;
  }

  /** Counts and logs a fault; returns its message. */
  add(error: unknown): string {
    this.#count++;
    return this.#log(error);
  }

  /** After the end of the driver, failed reads do not matter, but a bug of the driver is logged. */
  afterEnd(error: unknown): void {
    if (error instanceof ForbiddenModeChange) this.#log(error);
  }

  /** Logs a fault without counting it; returns its message. */
  #log(error: unknown): string {
    const { lease, traceId } = this.#execution;
    const [message, detail] = error instanceof Error ? [error.message, error.stack] : [String(error)];
    this.#telemetry.log('error', 'engine fault', {
      sagaId: lease.id,
      traceId,
      fault: this.#count,
      error: detail ?? message,
    });
    return message;
  }

  /** Calls `then` after a pause that grows with the number of faults. A second call replaces the first. */
  pause(then: () => void): void {
    this.end();
    this.#timer = this.#clock.after(backoffMillis(this.#count, 0.5), () => {
      this.#timer = undefined;
      then();
    });
  }

  /** Ends the pause without calling its action. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
