/** The gate of one simulated process, and the rules that the calls which it lets pass must keep. */
import { isBlocked } from '../../core/transition/block.ts';
import type { Stage, Token } from '../../core/state.ts';
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { Gatekeeper } from '../../runtime/gate/gatekeeper.ts';
import { randomDefinitionHost } from '../random-definition.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { type HoldBook, type HoldableCall, HoldsHeard } from './hold-book.ts';
import { HostWatch } from './host-watch.ts';
import type { CallVerdict, Departure } from './http-link.ts';
import type { Account, Ledger } from './ledger.ts';
import type { GateScenario } from './scenario.ts';

/** What a gate stands on. */
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

/** See the file header. */
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

  /** A call leaves the process. */
  left(departure: Departure): void {
    const { ledger, clock, name } = this.#parts;
    this.#hosts.left(departure);
    const account = ledger.accounts.get(departure.executionId);
    const hold = account && this.#heard.against(callOf(account, departure.host), clock.now());
    if (hold !== undefined) ledger.blame('holds', `${name} calls ${departure.key} in spite of the hold ${hold}`);
  }

  /** The process learns how a call ended. */
  ended(departure: Departure, verdict: CallVerdict): void {
    this.#hosts.ended(departure, verdict);
  }

  /** Whether calls to the host are kept back here now, holds aside. */
  keepsBack(host: string): boolean {
    return this.#hosts.keepsBack(host);
  }
}

/** Calls that wait blocked although nothing keeps them back any more, and since when. */
export class BlockedCalls {
  readonly #freeSince = new Map<string, number>();

  /** Looks at every execution at `now`, by both clocks; answers those that have been free for more than `patience`. */
  overdue(
    accounts: Iterable<Account>,
    holds: HoldBook,
    gates: readonly ProcessGate[],
    now: { readonly wall: number; readonly monotonic: number },
    patience: number,
  ): readonly { readonly account: Account; readonly token: Token }[] {
    const overdue: { account: Account; token: Token }[] = [];
    for (const account of accounts) {
      for (const token of account.state.end === undefined ? account.state.tokens : []) {
        const of = `${account.id} ${String(token.id)}`;
        const host = isBlocked(token.stage) ? hostOf(account, token) : undefined;
        const isKept =
          host === undefined ||
          holds.holds(callOf(account, host), now.wall) ||
          gates.some((gate) => gate.keepsBack(host));
        const since = this.#freeSince.get(of) ?? now.monotonic;
        if (isKept) this.#freeSince.delete(of);
        else this.#freeSince.set(of, since);
        if (!isKept && now.monotonic - since > patience) overdue.push({ account, token });
      }
    }
    return overdue;
  }
}

function callOf({ definition }: Account, host: string): HoldableCall {
  return { host, definition: definition.name, version: definition.version };
}

/** Where the call goes that waits in a token. */
function hostOf({ definition }: Account, { nodeId, stage }: Token): string | undefined {
  return stage.kind === 'hook' ? randomDefinitionHost(0) : definition.tasks.get(targetOf(stage) ?? nodeId)?.host;
}

function targetOf(stage: Stage): string | undefined {
  return stage.kind === 'unwinding' ? stage.undo?.target.nodeId : undefined;
}
