import type { ShardPart } from '../../src/ports/shard-queue.ts';
import type { Random } from '../random.ts';
import type { Clients } from '../clients.ts';
import type { Account } from './account.ts';
import type { Process } from '../process.ts';
import type { Cut } from './reach.ts';
import type { LapseScenario, Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

const cuts: readonly Cut[] = ['refused', 'mute'];
/** Shard parts that are dropped together. */
const victims: readonly (readonly ShardPart[])[] = [
  ['claims'],
  ['inflight'],
  ['claims', 'inflight'],
  ['ready'],
  ['claims', 'inflight', 'ready', 'marker'],
];
/** Interval at which clients look at their executions. */
const lookMillis = 400;
/** A client gives up after this many rounds. */
const maxRounds = 6;
/** A retried execution is cancelled this often, relative to the chance of a retry. */
const regret = 0.1;

/**
 * Plans a scenario's faults that make a process act on executions that it may no longer hold: connections cut off one
 * by one, answers that stay on the way, ids and parts of shards that the queue loses while every process is alive, and
 * clients that retry and cancel meanwhile.
 */
export function brewLapses(world: World, clients: Clients, scenario: Scenario, random: Random): void {
  const { lapses } = scenario;
  if (lapses === undefined) return;
  new Lapses(world, clients, scenario, random).plan(lapses);
}

class Lapses {
  readonly #world: World;
  readonly #clients: Clients;
  readonly #scenario: Scenario;
  readonly #random: Random;

  constructor(world: World, clients: Clients, scenario: Scenario, random: Random) {
    this.#world = world;
    this.#clients = clients;
    this.#scenario = scenario;
    this.#random = random;
  }

  plan({ severances, severedReads, slowReads, lostKeys, evictions, insistence }: LapseScenario): void {
    const { clock } = this.#world;
    const times = (count: number, happen: () => void): void => {
      for (let i = 0; i < count; i++) {
        clock.after(this.#random.int(0, this.#scenario.stormMillis), () => {
          if (this.#world.isStormy) happen();
        });
      }
    };
    const some = (happen: (process: Process) => void): (() => void) => {
      return () => {
        const { processes } = this.#world;
        if (processes.length > 0) happen(this.#random.pick(processes));
      };
    };
    times(
      severances,
      some((process) => this.#sever(process)),
    );
    times(
      slowReads,
      some((process) => this.#slow(process)),
    );
    times(lostKeys, () => this.#loseKey());
    times(evictions, () => this.#evict());
    if (severedReads > 0) {
      this.#world.onReading = (place) => {
        if (!this.#world.isStormy || !this.#random.chance(severedReads)) return;
        clock.after(this.#random.int(0, 3), () => {
          const process = this.#world.processAt(place);
          if (process !== undefined && this.#world.isStormy) this.#sever(process);
        });
      };
    }
    if (insistence > 0) this.#insist(insistence);
  }

  /** Cuts a process off from the store, the queue or both; then one way heals before the other. */
  #sever(process: Process): void {
    const { leaseMillis } = this.#scenario;
    const random = this.#random;
    const millis = random.pick([leaseMillis * 0.5, leaseMillis * 1.5, leaseMillis * 3, leaseMillis * 4]);
    const gap = random.pick([100, 1_500, 4_000]);
    const which = random.pick(['store', 'queue', 'storeFirst', 'queueFirst', 'queueFirst'] as const);
    const early = Math.max(100, millis - gap);
    if (which !== 'queue') {
      this.#world.sever(process, 'store', random.pick(cuts), which === 'storeFirst' ? early : millis);
    }
    if (which !== 'store') {
      this.#world.sever(process, 'queue', random.pick(cuts), which === 'queueFirst' ? early : millis);
    }
  }

  /** Delays answers to reads of a process for longer than its leases, which it cannot renew for most of that time. */
  #slow(process: Process): void {
    const millis = this.#scenario.leaseMillis * this.#random.pick([1.5, 3]);
    this.#world.holdReads(process, millis);
    if (this.#random.chance(0.8)) {
      this.#world.sever(process, 'queue', this.#random.pick(cuts), millis - this.#random.pick([300, 2_500]));
    }
  }

  /** Lets the queue lose the id of one execution again and again. */
  #loseKey(): void {
    const running = this.#running();
    if (running.length === 0) return;
    const { id } = this.#random.pick(running);
    this.#again(this.#random.pick([2_000, 8_000, 15_000]), 50, 800, () => this.#world.loseId(id));
  }

  /** Lets the server run short of memory for a while, so that it drops keys of some kinds or of all. */
  #evict(): void {
    const random = this.#random;
    const parts = random.pick(victims);
    const share = random.pick([0.05, 0.3, 0.8]);
    const members = random.chance(0.4) ? 0.2 : 0;
    this.#again(random.pick([1_000, 8_000, 20_000]), 50, 500, () => this.#world.evict(parts, share, members, random));
  }

  /** Repeats an action at random intervals for a while. */
  #again(millis: number, from: number, to: number, happen: () => void): void {
    const { clock } = this.#world;
    const until = clock.monotonic() + millis;
    const next = (): void => {
      if (!this.#world.isStormy || clock.monotonic() > until) return;
      happen();
      clock.after(this.#random.int(from, to), next);
    };
    next();
  }

  /** Lets clients retry failed executions, and cancel some of the retried ones. */
  #insist(insistence: number): void {
    const { clock, ledger } = this.#world;
    const look = (): void => {
      if (!this.#world.isStormy) return;
      for (const account of ledger.accounts.values()) {
        const { end, round } = account.state;
        if (!this.#random.chance(insistence)) continue;
        if (end === undefined) {
          if (round > 1 && this.#random.chance(regret)) this.#clients.cancel(account);
        } else if (end.status !== 'SUCCEEDED' && round < maxRounds) {
          this.#clients.retry(account, end.status !== 'CORRUPTED');
        }
      }
      clock.after(lookMillis, look);
    };
    clock.after(lookMillis, look);
  }

  #running(): readonly Account[] {
    return [...this.#world.ledger.accounts.values()].filter(({ state }) => state.end === undefined);
  }
}
