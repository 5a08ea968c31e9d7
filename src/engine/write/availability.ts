import { StoreUnavailable } from '../../ports/store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { Outage } from './outage.ts';

/**
 * Tracks whether the store answers. Every user of the store reports the results of its calls; users whose calls would
 * only add load check here first.
 *
 * During an outage the engine claims nothing new, keeps finished results and renews leases. A periodic probe detects the
 * end of the outage when nothing else calls the store. The log has one line for the beginning and one for the end of an
 * outage, even if some statements fail and others succeed.
 */
export class Availability {
  readonly #telemetry: Telemetry;
  readonly #outage: Outage;
  readonly #returned: (() => void)[] = [];
  #trouble: StoreUnavailable | undefined;

  constructor({ clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry }) {
    this.#telemetry = telemetry;
    this.#outage = new Outage(clock);
  }

  /** The trouble of the store, or undefined while it answers. */
  get trouble(): StoreUnavailable | undefined {
    return this.#trouble;
  }

  /** Whether an outage lasts, for the log. It ends only after a while without a failure. */
  get isOutage(): boolean {
    return this.#outage.lasts;
  }

  /** Calls `listener` whenever the store answers again. */
  onReturn(listener: () => void): void {
    this.#returned.push(listener);
  }

  /**
   * Reports that the store answered a call, with any result. A `read` does not prove that the store accepts writes again:
   * only a `write` or the probe, which checks writes, ends trouble with writes.
   */
  answered(by: 'read' | 'write'): void {
    if (by === 'read' && this.#trouble !== undefined && this.#trouble.kind !== 'unreachable') return;
    const outageMillis = this.#outage.answered();
    if (outageMillis !== undefined) {
      this.#telemetry.log('info', 'store answers again', { outageMillis: Math.round(outageMillis) });
    }
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    for (const listener of this.#returned) listener();
  }

  /**
   * Reports that a call of the store failed. Returns whether the store is unavailable, rather than the request invalid.
   */
  failed(operation: string, error: unknown): error is StoreUnavailable {
    const away = error instanceof StoreUnavailable;
    this.#telemetry.storeFailed(operation, away ? error.kind : 'error');
    if (!away) return false;
    if (this.#outage.failed()) {
      this.#telemetry.log('warn', 'store away', { operation, kind: error.kind, error: error.message });
    }
    this.#trouble = error;
    return true;
  }
}

/**
 * Pause before the n-th retry (from 1): 50 ms doubling to 2 s, with jitter from `random` in [0, 1).
 */
export function backoffMillis(n: number, random: number): number {
  return Math.min(50 * 2 ** Math.min(n - 1, 10), 2_000) * (0.75 + random / 2);
}
