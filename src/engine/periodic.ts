import type { Clock, Entropy, Timer } from '../ports/clock.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { backoffMillis } from './write/availability.ts';
import { Outage } from './write/outage.ts';
import { Pulse, type Service } from './service.ts';

/** What a periodic task needs. */
export interface PeriodicParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
}

/**
 * A task that runs repeatedly with a pause between runs.
 *
 * Guarantees: it never runs twice at the same time; a failure is logged once per outage and followed by a longer pause.
 * What wakes it: its interval and {@link Periodic.hurry}. What stops it: `stop`.
 */
export class Periodic implements Service {
  readonly pulse: Pulse;
  readonly #parts: PeriodicParts;
  readonly #millis: number;
  readonly #task: () => Promise<void>;
  readonly #outage: Outage;
  #running = false;
  #busy = false;
  #hurried = false;
  #failures = 0;
  #timer: Timer | undefined;
  #idle: (() => void)[] = [];

  /** `task` runs at the start, and then `millis` after its last run. */
  constructor(name: string, parts: PeriodicParts, millis: number, task: () => Promise<void>) {
    this.#parts = parts;
    this.#millis = millis;
    this.#task = task;
    this.#outage = new Outage(parts.clock);
    this.pulse = new Pulse(name, parts.clock);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.pulse.beat();
    this.hurry();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.pulse.end();
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
      });
    }
  }

  /** Runs the task now, or once more after the present run. */
  hurry(): void {
    if (!this.#running) return;
    if (this.#busy) {
      this.#hurried = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#busy = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { clock, entropy, telemetry } = this.#parts;
    this.#hurried = false;
    try {
      await this.#task();
      this.#failures = 0;
      this.#outage.answered();
    } catch (error) {
      if (this.#outage.failed()) {
        telemetry.log('warn', 'background task failed', { task: this.pulse.name, error: String(error) });
      }
      this.#failures++;
    }
    if (this.#running) this.pulse.beat();
    this.#busy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (!this.#running) return;
    if (this.#hurried && this.#failures === 0) {
      this.hurry();
      return;
    }
    const wait =
      this.#failures === 0 ? this.#millis : Math.min(this.#millis, backoffMillis(this.#failures, entropy.random()));
    this.#timer = clock.after(wait, () => {
      this.#timer = undefined;
      this.hurry();
    });
  }
}
