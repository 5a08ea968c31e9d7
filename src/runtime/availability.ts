/**
 * Whether the store answers. Every user of the store reports how its calls went; who would only add load asks here
 * first. While the store is away nothing new is claimed, finished results are kept, and leases are renewed. A probe in
 * the housekeeping notices its return when nobody else is calling.
 */
import { StoreUnavailable } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';

/** See the file header. */
export class Availability {
  readonly #telemetry: Telemetry;
  readonly #returned: (() => void)[] = [];
  #trouble: StoreUnavailable | undefined;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** The trouble that the store is in, or undefined while it answers. */
  get trouble(): StoreUnavailable | undefined {
    return this.#trouble;
  }

  /** Calls `listener` whenever the store answers again. */
  onReturn(listener: () => void): void {
    this.#returned.push(listener);
  }

  /**
   * A call of the store was answered, with whatever result. A `read` does not show that it takes writes again: trouble of that kind
   * ends by a `write`, or by the probe, which asks for just that.
   */
  answered(by: 'read' | 'write'): void {
    if (this.#trouble === undefined || (by === 'read' && this.#trouble.kind !== 'unreachable')) return;
    this.#trouble = undefined;
    this.#telemetry.log('info', 'store answers again');
    for (const listener of this.#returned) listener();
  }

  /** A call of the store failed. Answers whether that is trouble of the store, and not of what was asked. */
  failed(operation: string, error: unknown): error is StoreUnavailable {
    const away = error instanceof StoreUnavailable;
    this.#telemetry.storeFailed(operation, away ? error.kind : 'error');
    if (!away) return false;
    if (this.#trouble === undefined) {
      this.#telemetry.log('warn', 'store away', { operation, kind: error.kind, error: error.message });
    }
    this.#trouble = error;
    return true;
  }
}

/** Pause before the n-th try (from 1): 50 ms doubling to 2 s, spread by `random` in [0, 1) so that many do not come at once. */
export function backoffMillis(n: number, random: number): number {
  return Math.min(50 * 2 ** Math.min(n - 1, 10), 2_000) * (0.75 + random / 2);
}
