import type { Clock, Entropy } from '../src/ports/clock.ts';
import type { Store } from '../src/ports/store.ts';
import type { Telemetry } from '../src/ports/telemetry.ts';
import { Gatekeeper } from '../src/engine/call/gate/gatekeeper.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { type HoldableCall, HoldsHeard } from './rules/hold-book.ts';
import { HostWatch } from './rules/host-watch.ts';
import type { CallVerdict, Departure } from './links/http-link.ts';
import type { Ledger } from './rules/ledger.ts';
import type { Account } from './rules/account.ts';
import type { GateScenario } from './scenario.ts';

/** What a gate needs. */
export interface ProcessGateParts {
  readonly name: string;
  readonly scenario: GateScenario;
  readonly base: VirtualClock;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly workerCount: number;
}

/** The gate of one simulated process, with the rules for the calls that it lets pass. */
export class ProcessGate {
  readonly keeper: Gatekeeper;
  readonly #parts: ProcessGateParts;
  readonly #heard: HoldsHeard;
  readonly #hosts: HostWatch;

  constructor(parts: ProcessGateParts) {
    const { base, clock, scenario, ledger, name } = parts;
    const { places, failureThreshold, openMillis } = scenario;
    this.#parts = parts;
    this.#heard = new HoldsHeard(base);
    this.#hosts = new HostWatch(clock, scenario, (rule, what) => ledger.blame(rule, `${name}: ${what}`));
    this.keeper = new Gatekeeper({
      ...parts,
      store: this.#heard.watch(parts.store),
      mask: (text) => text,
      circuits: { failureThreshold, openMillis },
      maxConcurrency: places,
      overrides: {},
    });
  }

  /** Checks a call that leaves the process. */
  left(departure: Departure): void {
    const { ledger, clock, name } = this.#parts;
    this.#hosts.left(departure);
    const account = ledger.accounts.get(departure.executionId);
    const hold = account && this.#heard.against(callOf(account, departure.host), clock.now());
    if (hold !== undefined) ledger.blame('holds', `${name} calls ${departure.key} in spite of the hold ${hold}`);
  }

  /** Notes that the process knows how a call ended. */
  ended(departure: Departure, verdict: CallVerdict): void {
    this.#hosts.ended(departure, verdict);
  }

  /** Until when calls to the host were last kept back here, holds aside; see {@link HostWatch.keptUntil}. */
  keptUntil(host: string): number {
    return this.#hosts.keptUntil(host);
  }
}

/** A call of an execution to a host, as holds see it. */
export function callOf({ definition }: Pick<Account, 'definition'>, host: string): HoldableCall {
  return { host, definition: definition.name, version: definition.version };
}
