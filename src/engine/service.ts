import type { Clock } from '../ports/clock.ts';

/**
 * The contract of all background work. A second `start` or `stop` does nothing; `stop` before `start` is allowed. `stop`
 * resolves when all work has ended.
 */
export interface Service {
  start(): void;
  stop(): Promise<void>;
}

/** Records when a loop last completed a pass, to show that it is alive. */
export class Pulse {
  readonly name: string;
  readonly #clock: Clock;
  #last: number;
  #beating = false;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.#last = clock.monotonic();
  }

  /** Records a completed pass, whether it succeeded or failed with a handled error. */
  beat(): void {
    this.#beating = true;
    this.#last = this.#clock.monotonic();
  }

  /** Records that the loop was stopped, so that its silence does not count. */
  end(): void {
    this.#beating = false;
  }

  /** Milliseconds since the last pass; 0 while the loop is not running. */
  get silence(): number {
    return this.#beating ? this.#clock.monotonic() - this.#last : 0;
  }
}
