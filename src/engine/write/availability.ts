import { StoreUnavailable } from '../../ports/store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { Outage } from './outage.ts';

/**
 * Whether the store answers. Every user of the store reports the results of its calls; users whose calls would only add
 * load ask here first.
 *
 * While the store is away nothing new is claimed, finished results are kept, and leases are renewed. A periodic probe
 * notices its return when nothing else calls. The log has one line when the store goes away and one when it is back,
 * even if some statements fail and others succeed.
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

  /** Whether an outage lasts, for the log: it ends only after a while without a failure. */
  get isOutage(): boolean {
    return this.#outage.lasts;
  }

  /** Calls `listener` whenever the store answers again. */
  onReturn(listener: () => void): void {
    this.#returned.push(listener);
  }

  /**
   * Reports that the store answered a call, with any result. A `read` does not show that the store takes writes again:
   * trouble with writes ends by a `write`, or by the probe, which checks exactly that.
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
   * Reports that a call of the store failed. Answers whether the store is in trouble, as opposed to the request being
   * wrong.
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
 * Pause before the n-th try (from 1): 50 ms doubling to 2 s, spread by `random` in [0, 1) so that many tries do not
 * come at once.
 */
export function backoffMillis(n: number, random: number): number {
  return Math.min(50 * 2 ** Math.min(n - 1, 10), 2_000) * (0.75 + random / 2);
}
