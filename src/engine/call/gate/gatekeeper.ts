import type { BlockCause } from '../../../core/state.ts';
import type { Entropy } from '../../../ports/clock.ts';
import type { Store } from '../../../ports/store.ts';
import { Periodic } from '../../periodic.ts';
import type { Pulse } from '../../service.ts';
import type { Block, CallGate, Entry, GatedCall, Pass } from './call-gate.ts';
import type { Circuit } from './circuit.ts';
import { type CallHold, isHeld, readHolds, stands } from './call-holds.ts';
import { type CircuitView, type FullHost, type Host, Hosts, type HostsParts } from './hosts.ts';
import { WaitingLine } from './waiting-line.ts';
import { WaitingList } from './waiting-list.ts';

/** What a gatekeeper needs. */
export interface GatekeeperParts extends HostsParts {
  readonly entropy: Entropy;
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
}

/** Delay of a call that arrived before the first reading of the holds, in ms. */
const unreadMillis = 500;
/** Interval at which the gate reads the holds, in ms. */
const readMillis = 3_000;
/** If a place is expected within this time, in ms, any number of calls may wait for it in memory: that saves loads and checkpoints. */
const soonMillis = 250;
/** On average one waiting call retries per this interval, in ms, because every retry costs a load and a checkpoint. */
const crowdMillis = 10;
/** Maximum time until a waiting call retries by itself, in ms: the process that would wake it may have ended. */
const longestLookMillis = 300_000;

/**
 * The gate of one process. It checks the holds first, then the circuit of the host, then whether a place at the host is free.
 *
 * A blocked call gets a time for its retry. The delay grows with the time that it has waited and with the number of waiting
 * calls, so that a hundred thousand executions behind a hold for a day cost little. A lifted hold, a closed circuit or a free
 * place wakes the calls at once, through the {@link WaitingList}.
 *
 * A free place goes to the next call that enters, unless it is reserved for a woken call. If no place is free, a call waits
 * in memory for a moment ({@link HostSlots}) if it was woken from the waiting list, if its execution continues in its turn,
 * or if no other call waits at that host. Otherwise the execution is parked, and listed by the time of its first block. Each
 * freed place goes to the call that has waited longest in memory, and also wakes the call that has waited longest in the
 * list, so that a steady stream of new calls cannot starve parked ones.
 *
 * What wakes it: calls, and a reading of the holds every few seconds or when this process changes one. What stops it:
 * {@link Gatekeeper.stop}.
 */
export class Gatekeeper implements CallGate {
  readonly #parts: GatekeeperParts;
  readonly #reading: Periodic;
  readonly #waiting: WaitingList;
  readonly #hosts: Hosts;
  readonly #untilRead = new WaitingLine('hold');
  readonly #byHold = new Map<string, WaitingLine>();
  /** Undefined before the first reading; until then the gate blocks all calls. */
  #holds: readonly CallHold[] | undefined;
  #firstRead: () => void = () => undefined;

  constructor(parts: GatekeeperParts) {
    this.#parts = parts;
    this.#waiting = new WaitingList(parts.clock);
    this.#hosts = new Hosts(parts, ({ forCircuit }) => {
      this.#waiting.release(forCircuit);
    });
    this.#reading = new Periodic('holds', parts, readMillis, () => this.#readHolds());
  }

  get pulse(): Pulse {
    return this.#reading.pulse;
  }

  start(retry: (executionId: string, dueAt: number) => boolean): Promise<void> {
    this.#waiting.retry = retry;
    return new Promise((resolve) => {
      this.#firstRead = resolve;
      this.#reading.start();
    });
  }

  async stop(): Promise<void> {
    await this.#reading.stop();
    this.#waiting.stop();
  }

  /** Reads the holds now, because this process has changed them. */
  readonly holdsChanged = (): void => {
    this.#reading.hurry();
  };

  /** Number of holds in force, as of the last reading. */
  get holdCount(): number {
    const now = this.#parts.clock.now();
    return this.#holds?.filter((hold) => stands(hold, now)).length ?? 0;
  }

  /** Numbers of the blocked executions that this process has seen, each under one cause. */
  get blocked(): Readonly<Record<BlockCause, number>> {
    return this.#waiting.counts;
  }

  /** See {@link Hosts.full}. */
  fullHosts(): readonly FullHost[] {
    return this.#hosts.full();
  }

  ended(executionId: string): void {
    this.#waiting.forget(executionId);
  }

  keepOnly(isOurs: (executionId: string) => boolean): void {
    this.#waiting.keepOnly(isOurs);
  }

  /** See {@link Hosts.circuits}. */
  circuits(): readonly CircuitView[] {
    return this.#hosts.circuits();
  }

  enter(call: GatedCall): Entry {
    const host = call.url === undefined ? undefined : this.#hosts.of(call.url, call.hostFromData === true);
    const turnedAway = this.#turnAway(call, host);
    if (turnedAway !== undefined) return turnedAway;
    if (host === undefined) {
      this.#letThrough(call);
      return { kind: 'open', done: () => undefined };
    }
    if (this.#takes(call, host)) return this.#admit(call, host);
    if (!this.#mayWaitInHand(call, host)) return this.#noPlace(call, host);
    return {
      kind: 'queued',
      wait: (then) =>
        host.slots.wait((hasPlace) => {
          if (!hasPlace) {
            then(this.#noPlace(call, host));
            return;
          }
          // During the wait a hold may have been placed, or the circuit may have opened.
          const late = this.#turnAway(call, host);
          if (late !== undefined) this.#freed(host);
          then(late ?? this.#admit(call, host));
        }),
    };
  }

  /** Takes a place unless all free ones are reserved for calls that were woken before. */
  #takes(call: GatedCall, host: Host): boolean {
    const { slots, forPlace } = host;
    if (slots.isFull) return false;
    const promised = forPlace.isAwaited ? forPlace.promised(this.#parts.clock.monotonic(), call) : 0;
    if (slots.taken + promised >= slots.limit || !slots.tryTake()) return false;
    if (slots.isFull) host.awaitedSince = this.#parts.clock.monotonic();
    return true;
  }

  #mayWaitInHand(call: GatedCall, host: Host): boolean {
    const { slots, forPlace } = host;
    if (!slots.hasRoom && !this.#isSoonFree(host)) return false;
    return call.goesOn === true || forPlace.size === 0 || this.#waiting.isCalled(forPlace, call);
  }

  #turnAway(call: GatedCall, host: Host | undefined): Block | undefined {
    if (call.placeOnly === true) return undefined;
    const now = this.#parts.clock.now();
    if (this.#holds === undefined) {
      const until = now + unreadMillis;
      return this.#block(call, this.#untilRead, {
        cause: 'hold',
        until,
        detail: 'held: until the holds have been read',
        ...shownOf(host),
      });
    }
    const hold =
      this.#holds.length === 0
        ? undefined
        : this.#holds.find((each) => isHeld(each, call, host?.origin) && stands(each, now));
    if (hold !== undefined) {
      const line = this.#holdLine(hold.id);
      const look = this.#lookAgain(call, now, { first: 2_000, longest: 30_000 });
      const until = hold.until === undefined ? look : Math.min(look, hold.until + this.#upTo(500));
      return this.#block(call, line, {
        cause: 'hold',
        until,
        detail: heldText(hold),
        holdId: hold.id,
        ...shownOf(host),
      });
    }
    if (host?.circuit === undefined) return undefined;
    if (call.probes === true) host.circuit.allowProbe();
    const wait = host.circuit.waitMillis;
    if (wait === 0) return undefined;
    const { forCircuit, label } = host;
    const until =
      wait === undefined
        ? this.#lookAgain(call, now, { first: 1_000, longest: 10_000 })
        : now + wait + this.#upTo(Math.min(longestLookMillis, crowdMillis * forCircuit.size));
    const detail = `circuit of ${label} open`;
    return this.#block(call, forCircuit, { cause: 'circuit', until, detail, ...shownOf(host) });
  }

  /** Whether a call that begins to wait can expect a place soon, at the recent rate of freed places. */
  #isSoonFree({ slots, awaitedSince, paceMillis }: Host): boolean {
    const silence = this.#parts.clock.monotonic() - awaitedSince;
    return (slots.waiting + 1) * Math.max(paceMillis, silence) <= soonMillis;
  }

  #noPlace(call: GatedCall, { forPlace, shownHost, slots }: Host): Block {
    const bounds = { first: 500, longest: 5_000 };
    const until = this.#lookAgain(call, this.#parts.clock.now(), bounds);
    const detail = `waits for a free place at ${shownHost}: all ${String(slots.limit)} are taken`;
    return this.#block(call, forPlace, { cause: 'slots', until, detail, host: shownHost });
  }

  #block(call: GatedCall, line: WaitingLine, block: Omit<Block, 'kind'>): Block {
    this.#waiting.add(line, call);
    return { kind: 'blocked', ...block };
  }

  /** Lets a call pass that has taken its place. */
  #admit(call: GatedCall, host: Host): Pass {
    this.#letThrough(call);
    // This call was not woken: parked calls may still wait for the other free places.
    if (host.forPlace.size > 0 && !host.slots.isFull) this.#waiting.release(host.forPlace, 1);
    const circuit = call.placeOnly === true ? undefined : host.circuit;
    return new PlacePass(host, circuit, this.#freed);
  }

  #letThrough(call: GatedCall): void {
    if (call.blockedSince !== undefined) this.#waiting.remove(call);
  }

  /** Passes on or frees a place at a host. */
  readonly #freed = (host: Host): void => {
    const now = this.#parts.clock.monotonic();
    const silence = now - host.awaitedSince;
    // While places are free no call waits for one, so a long interval is not a measure of the rate.
    if (host.slots.isFull || silence < host.paceMillis) {
      host.paceMillis = Number.isFinite(host.paceMillis) ? 0.9 * host.paceMillis + 0.1 * silence : silence;
    }
    host.awaitedSince = now;
    const isIdle = host.slots.free();
    if (host.forPlace.size === 0) return;
    // If places become free quickly and no call waits in memory, the gate wakes two calls, so that no place stays free during a load.
    this.#waiting.release(host.forPlace, isIdle && silence < soonMillis ? 2 : 1);
  };

  #holdLine(id: string): WaitingLine {
    const known = this.#byHold.get(id);
    if (known !== undefined) return known;
    const line = new WaitingLine('hold');
    this.#byHold.set(id, line);
    return line;
  }

  /**
   * When a blocked call retries: after half the time that it has waited so far, within bounds, with jitter, and later if
   * many calls wait.
   */
  #lookAgain(call: GatedCall, now: number, bounds: { readonly first: number; readonly longest: number }): number {
    const waited = now - (call.blockedSince ?? now);
    const usual = Math.min(Math.max(waited / 2, bounds.first), bounds.longest);
    const wait = Math.max(usual, Math.min(crowdMillis * this.#waiting.size, longestLookMillis));
    return now + Math.round(wait * 0.8) + this.#upTo(wait * 0.2);
  }

  #upTo(millis: number): number {
    return Math.round(millis * this.#parts.entropy.random());
  }

  async #readHolds(): Promise<void> {
    const { store, clock, telemetry } = this.#parts;
    const before = this.#holds ?? [];
    try {
      this.#holds = await readHolds(store, clock.now());
    } finally {
      this.#firstRead();
    }
    const holds = this.#holds;
    this.#waiting.release(this.#untilRead);
    for (const hold of before) {
      const same = holds.find(({ id }) => id === hold.id);
      if (same !== undefined && JSON.stringify(same) === JSON.stringify(hold)) continue;
      if (same === undefined) telemetry.log('info', 'hold lifted', { hold: hold.id });
      this.#waiting.release(this.#holdLine(hold.id));
      if (same === undefined) this.#byHold.delete(hold.id);
    }
    for (const { id, host, name, version } of holds) {
      if (before.some((known) => known.id === id)) continue;
      telemetry.log('warn', 'hold placed', { hold: id, host, name, version });
    }
  }
}

/** The reason of the hold for people, with the person who placed it, if known. */
function heldText({ reason, actor }: CallHold): string {
  return actor === undefined ? `held: ${reason}` : `held by ${actor}: ${reason}`;
}

function shownOf(host: Host | undefined): { readonly host: string } | undefined {
  return host === undefined ? undefined : { host: host.shownHost };
}

/** The pass of a call that holds a place at its host. */
class PlacePass implements Pass {
  readonly kind = 'open';
  readonly #host: Host;
  readonly #circuit: Circuit | undefined;
  readonly #begun: number;
  readonly #freed: (host: Host) => void;

  /** `circuit` is to learn of the outcome. `freed` is called with the host once the place is no longer needed. */
  constructor(host: Host, circuit: Circuit | undefined, freed: (host: Host) => void) {
    this.#host = host;
    this.#circuit = circuit;
    this.#begun = circuit?.begin() ?? 0;
    this.#freed = freed;
  }

  done(outcome: Parameters<Pass['done']>[0]): void {
    this.#circuit?.ended(this.#begun, outcome);
    this.#freed(this.#host);
  }
}
