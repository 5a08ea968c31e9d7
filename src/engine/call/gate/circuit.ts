import type { Clock } from '../../../ports/clock.ts';

/** When a circuit opens, and for how long at first. */
export interface CircuitSettings {
  readonly failureThreshold: number;
  readonly openMillis: number;
}

/** Called when the circuit opens (also after a failed probe) or closes. */
export type CircuitListener = (now: 'opened' | 'closed', openMillis: number) => void;

const longestOpenMillis = 60_000;

/** The number of a probe, in place of a generation. */
const probe = -1;

/**
 * The circuit breaker of one host.
 *
 * - `closed`: calls go out. `failureThreshold` consecutive failures of calls that went out while it was closed open it.
 * - `open`: no call goes out until the open time has passed.
 * - `probing`: one call is under way as a probe. An answer closes the circuit; a failure opens it for twice as long, up to
 *   a minute; after a neutral outcome the next call probes.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #settings: CircuitSettings;
  readonly #changed: CircuitListener;
  #state: 'closed' | 'open' | 'probing' = 'closed';
  #failures = 0;
  #openMillis: number;
  /** Monotonic. */
  #openUntil = 0;
  /** Number of openings. Outcomes of calls that began before the last one do not count. */
  #generation = 0;

  constructor(clock: Clock, settings: CircuitSettings, changed: CircuitListener) {
    this.#clock = clock;
    this.#settings = settings;
    this.#changed = changed;
    this.#openMillis = settings.openMillis;
  }

  get isOpen(): boolean {
    return this.#state !== 'closed';
  }

  /** Whether the circuit is closed without recorded failures. */
  get isFresh(): boolean {
    return this.#state === 'closed' && this.#failures === 0;
  }

  /** Milliseconds until a call may go out: 0 means now; undefined while a probe is under way. */
  get waitMillis(): number | undefined {
    if (this.#state === 'closed') return 0;
    if (this.#state === 'probing') return undefined;
    return Math.max(0, this.#openUntil - this.#clock.monotonic());
  }

  /** Lets the next call probe an open circuit now. Does nothing while a probe is under way. */
  allowProbe(): void {
    if (this.#state === 'open') this.#openUntil = this.#clock.monotonic();
  }

  /** Begins a call; allowed only while `waitMillis` is 0. Give the returned number to {@link Circuit.ended} once. */
  begin(): number {
    if (this.#state !== 'open') return this.#generation;
    this.#state = 'probing';
    return probe;
  }

  /** Takes the outcome of the call for which {@link Circuit.begin} returned `begun`. */
  ended(begun: number, outcome: 'answered' | 'failed' | 'neutral'): void {
    if (begun === probe) this.#probed(outcome);
    else if (begun === this.#generation) this.#count(outcome);
  }

  #count(outcome: 'answered' | 'failed' | 'neutral'): void {
    if (outcome === 'answered') this.#failures = 0;
    else if (outcome === 'failed' && ++this.#failures >= this.#settings.failureThreshold) {
      this.#openMillis = this.#settings.openMillis;
      this.#open();
    }
  }

  #probed(outcome: 'answered' | 'failed' | 'neutral'): void {
    if (outcome === 'answered') {
      this.#state = 'closed';
      this.#failures = 0;
      this.#changed('closed', 0);
    } else if (outcome === 'failed') {
      this.#openMillis = Math.max(this.#settings.openMillis, Math.min(2 * this.#openMillis, longestOpenMillis));
      this.#open();
    } else this.#state = 'open';
  }

  #open(): void {
    this.#generation++;
    this.#state = 'open';
    this.#openUntil = this.#clock.monotonic() + this.#openMillis;
    this.#changed('opened', this.#openMillis);
  }
}
