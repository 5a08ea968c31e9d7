/** The one contract of everything long-lived, and the pulse by which it shows that it lives. */
import type { Clock } from '../ports/clock.ts';

/**
 * Something that runs in the background. A second `start` or `stop` does nothing; `stop` before `start` is fine. `stop`
 * resolves when nothing of it is under way.
 */
export interface Service {
  start(): void;
  stop(): Promise<void>;
}

/** When a loop last got round. */
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

  /** The loop got round, with success or with a failure that it handled. */
  beat(): void {
    this.#beating = true;
    this.#last = this.#clock.monotonic();
  }

  /** The loop has been stopped: its silence means nothing. */
  end(): void {
    this.#beating = false;
  }

  /** Milliseconds since it last got round; 0 while it is not running. */
  get silence(): number {
    return this.#beating ? this.#clock.monotonic() - this.#last : 0;
  }
}
