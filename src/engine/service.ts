import type { Clock } from '../ports/clock.ts';

/**
 * The contract of everything that runs in the background. A second `start` or `stop` does nothing; `stop` before
 * `start` is fine. `stop` resolves when nothing is under way any more.
 */
export interface Service {
  start(): void;
  stop(): Promise<void>;
}

/** Shows that a loop is alive: when it last completed a pass. */
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

  /** The loop completed a pass, with success or with a failure that it handled. */
  beat(): void {
    this.#beating = true;
    this.#last = this.#clock.monotonic();
  }

  /** The loop has been stopped, so its silence means nothing. */
  end(): void {
    this.#beating = false;
  }

  /** Milliseconds since the last pass; 0 while the loop is not running. */
  get silence(): number {
    return this.#beating ? this.#clock.monotonic() - this.#last : 0;
  }
}
