import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { Outage } from '../write/outage.ts';

/**
 * Tracks whether the queue answers, for the log and the metrics. Every part of the engine reports the outcome of its
 * operations on the queue here.
 *
 * Each failure is counted. The log has one line when the queue goes away and one when it is back, however many
 * operations fail meanwhile and whichever server answers some of them.
 */
export class QueueHealth {
  readonly #telemetry: Telemetry;
  readonly #outage: Outage;

  constructor({ clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry }) {
    this.#telemetry = telemetry;
    this.#outage = new Outage(clock);
  }

  /** An operation on the queue failed. */
  failed(operation: string, error: unknown): void {
    this.#telemetry.queueFailed(operation);
    if (this.#outage.failed()) this.#telemetry.log('warn', 'queue away', { operation, error: String(error) });
  }

  /** A server of the queue answered. */
  answered(): void {
    const outageMillis = this.#outage.answered();
    if (outageMillis === undefined) return;
    this.#telemetry.log('info', 'queue answers again', { outageMillis: Math.round(outageMillis) });
  }
}
