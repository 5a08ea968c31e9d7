import type { Clock } from '../../src/ports/clock.ts';
import type { CallVerdict, Departure } from '../links/http-link.ts';
import type { GateScenario } from '../scenario.ts';

interface Host {
  inFlight: number;
  /** Consecutive failures of calls that left while the circuit was closed. */
  failures: number;
  /** Changes when the circuit opens, after which results of earlier calls do not count. */
  era: number;
  /** Until when calls were last kept back, except by a circuit whose time was over before its probe left; monotonic. */
  keptUntil: number;
  /** Absent while the circuit is closed. */
  open?: { readonly until: number; readonly millis: number; isProbed: boolean };
}

const longestOpenMillis = 60_000;

/**
 * Tracks the calls of one process to each host, and checks its gate: never more calls at once than there are places,
 * none while the circuit is open, one to probe it. A circuit breaker of its own, written from the specification, which
 * sees what the gate sees.
 */
export class HostWatch {
  readonly #clock: Clock;
  readonly #limits: GateScenario;
  readonly #blame: (rule: string, what: string) => void;
  readonly #hosts = new Map<string, Host>();
  readonly #left = new Map<Departure, { readonly era: number; readonly isProbe: boolean }>();

  constructor(clock: Clock, limits: GateScenario, blame: (rule: string, what: string) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#blame = blame;
  }

  /**
   * Until when calls to the host were last kept back here, by its circuit or because every place was taken: now if they
   * still are, long ago if they never were. Monotonic, and exact: a call of some milliseconds may take the last place
   * between two looks.
   */
  keptUntil(name: string): number {
    const host = this.#of(name);
    return this.#keepsBack(host) ? this.#clock.monotonic() : Math.max(host.keptUntil, host.open?.until ?? -Infinity);
  }

  /** Checks a call that leaves. */
  left(departure: Departure): void {
    const { host: name, key } = departure;
    const host = this.#of(name);
    if (host.inFlight >= this.#limits.places) this.#blame('places', `${key} leaves, and ${name} has no place free`);
    host.inFlight++;
    const { open } = host;
    if (open !== undefined && (open.isProbed || this.#clock.monotonic() < open.until)) {
      this.#blame('circuit', `${key} leaves while the circuit of ${name} is open`);
    }
    this.#left.set(departure, { era: host.era, isProbe: open !== undefined });
    if (open !== undefined) open.isProbed = true;
  }

  /** Notes the result of a call, or that the process no longer waits for it. */
  ended(departure: Departure, verdict: CallVerdict): void {
    const host = this.#of(departure.host);
    const left = this.#left.get(departure);
    this.#left.delete(departure);
    host.keptUntil = this.keptUntil(departure.host);
    host.inFlight--;
    if (left?.era !== host.era) return;
    if (left.isProbe) this.#probed(host, verdict);
    else if (verdict === 'answered') host.failures = 0;
    else if (verdict === 'failed' && ++host.failures >= this.#limits.failureThreshold) {
      this.#open(host, this.#limits.openMillis);
    }
  }

  #keepsBack({ open, inFlight }: Host): boolean {
    if (inFlight >= this.#limits.places) return true;
    return open !== undefined && (open.isProbed || this.#clock.monotonic() < open.until);
  }

  #probed(host: Host, verdict: CallVerdict): void {
    const { open } = host;
    if (open === undefined) return;
    if (verdict === 'failed') this.#open(host, Math.min(2 * open.millis, longestOpenMillis));
    else if (verdict === 'neutral') open.isProbed = false;
    else {
      delete host.open;
      host.failures = 0;
    }
  }

  #open(host: Host, millis: number): void {
    host.era++;
    host.open = { until: this.#clock.monotonic() + millis, millis, isProbed: false };
  }

  #of(name: string): Host {
    const known = this.#hosts.get(name) ?? { inFlight: 0, failures: 0, era: 0, keptUntil: -Infinity };
    this.#hosts.set(name, known);
    return known;
  }
}
