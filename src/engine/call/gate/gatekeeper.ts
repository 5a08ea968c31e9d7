/**
 * The gate of one process: holds first, then the circuit of the host, then a free place at it.
 *
 * A call that is turned away gets a time at which to try again, the later the longer it has waited and the more wait with it, so that a
 * hundred thousand executions behind a hold for a day cost little; what ends its waiting earlier tells it at once (see
 * `waiting-list.ts`).
 *
 * Who gets a place at a host: a free one goes to the next call that asks, unless it is kept for one that was called. With none free, a call waits in hand for a moment (see
 * `host-slots.ts`) if it was called from the waiting list, if its execution goes on in its turn, or if nobody waits at that host; else
 * its execution is parked, and listed by the time at which it was blocked first. Each place that becomes free goes to the longest wait in hand, and calls the longest
 * wait of the list, so that a steady stream of new calls cannot starve those that were parked.
 */
import type { BlockCause } from '../../../core/state.ts';
import type { Clock, Entropy } from '../../../ports/clock.ts';
import type { Store } from '../../../ports/store.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { dataHostLabel } from '../host-label.ts';
import { Periodic } from '../../periodic.ts';
import type { Pulse } from '../../service.ts';
import type { Block, CallGate, Entry, GatedCall, Pass } from './call-gate.ts';
import { type CallHold, isHeld, readHolds, stands } from './call-holds.ts';
import { Circuit, type CircuitSettings } from './circuit.ts';
import { HostSlots, Lobby } from './host-slots.ts';
import { authorityOf, type Origin, originOf } from './origin.ts';
import { WaitingLine } from './waiting-line.ts';
import { WaitingList } from './waiting-list.ts';

/** What a gatekeeper stands on. */
export interface GatekeeperParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  /** Hosts may hold secrets. */
  readonly mask: (text: string) => string;
  /** Absent: no circuit ever opens. */
  readonly circuits?: CircuitSettings;
  /** Calls at once to one scheme, host and port. */
  readonly maxConcurrency: number;
  /** Other limits by `host:port` (which wins) or `host`. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Places of the process. Calls that wait in hand for a host that is not quick take at most a quarter of them, all hosts together. */
  readonly workerCount: number;
}

/** A host whose places are all taken. */
export interface FullHost {
  /** `http://host:80`, masked. */
  readonly host: string;
  /** Calls under way: all that it may have. */
  readonly calls: number;
  /** Calls that wait for a place, in hand or parked. */
  readonly waiting: number;
}

/** The circuit of a host that has been open since the process began. */
export interface CircuitView {
  /** `http://host:80`, masked; hosts that come from data share one name. */
  readonly host: string;
  readonly isOpen: boolean;
  /** Milliseconds until a call may go out to probe; absent while one is out, or closed. */
  readonly waitMillis?: number;
}

interface Host {
  readonly origin: Origin;
  /** What those read who may read the execution: `http://host:80`. */
  readonly label: string;
  /** The same in a sentence: without the scheme, and without a port that is usual for it. */
  readonly shownHost: string;
  /** Whether no definition names it by itself, as far as this process has seen: logs, metrics and `/cluster` do not name it then. */
  isFromData: boolean;
  readonly slots: HostSlots;
  readonly circuit: Circuit | undefined;
  /** Parked until a place is free. */
  readonly forPlace: WaitingLine;
  /** Parked until the circuit closes. */
  readonly forCircuit: WaitingLine;
  /** Since when the next free place is awaited: the last one became free then, or was taken; monotonic. */
  awaitedSince: number;
  /** The mean time for which a free place was awaited lately. */
  paceMillis: number;
}

/** What everybody may read. */
function publicLabel({ isFromData, label }: Host): string {
  return isFromData ? dataHostLabel : label;
}

/** How soon a call is tried again that came before the holds had been read. */
const unreadMillis = 500;
/** Holds are read this often. */
const readMillis = 3_000;
/** Hosts known at once; beyond it those that are idle and healthy are forgotten. */
const maxHosts = 1_000;
const maxCircuitViews = 200;
/** As long as a name in DNS may be, with its scheme and port. What is longer leads nowhere, and may be as long as a request. */
const maxAuthorityLength = 270;
/** Hosts without a free place that are told of at most: those with the most calls. */
const maxFullHosts = 20;
/** A place that is free so soon may be waited for in hand, however many do: it costs others little, and spares a load and a checkpoint. */
const soonMillis = 250;
/** Of all that wait one looks again per so many milliseconds: each look costs a load and a checkpoint. */
const crowdMillis = 10;
/** However many wait: what nobody calls, because the process that knew of it is gone, looks again within this time. */
const longestLookMillis = 300_000;

const otherHosts: Origin = { text: 'other hosts', host: 'other hosts', hostPort: 'other hosts' };

/** The gate of one process. */
export class Gatekeeper implements CallGate {
  readonly #parts: GatekeeperParts;
  readonly #reading: Periodic;
  readonly #waiting: WaitingList;
  readonly #lobby: Lobby;
  readonly #untilRead = new WaitingLine('hold');
  readonly #byHold = new Map<string, WaitingLine>();
  /** By scheme and authority as URLs have them. */
  readonly #byAuthority = new Map<string, Host>();
  readonly #hosts = new Map<string, Host>();
  /** Those whose circuit has opened once. */
  readonly #tripped = new Map<string, Host>();
  /** Undefined until they have been read for the first time: no call may slip through before that. */
  #holds: readonly CallHold[] | undefined;
  /** Stands for the hosts beyond {@link maxHosts}. */
  #overflow: Host | undefined;
  #firstRead: () => void = () => undefined;

  constructor(parts: GatekeeperParts) {
    this.#parts = parts;
    this.#waiting = new WaitingList(parts.clock);
    this.#lobby = new Lobby(Math.floor(parts.workerCount / 4));
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

  /** Holds were changed in this process: they are read now. */
  readonly holdsChanged = (): void => {
    this.#reading.hurry();
  };

  /** How many holds stand, as last read. */
  get holdCount(): number {
    const now = this.#parts.clock.now();
    return this.#holds?.filter((hold) => stands(hold, now)).length ?? 0;
  }

  /** Executions that wait blocked, each under one cause, as far as this process has seen them. */
  get blocked(): Readonly<Record<BlockCause, number>> {
    return this.#waiting.counts;
  }

  /** Hosts whose places are all taken, those with the most calls first, at most 20. */
  fullHosts(): readonly FullHost[] {
    const full = [...this.#hosts.values(), ...(this.#overflow === undefined ? [] : [this.#overflow])].filter(
      ({ slots }) => slots.isFull,
    );
    return full
      .map((host) => ({
        host: publicLabel(host),
        calls: host.slots.taken,
        waiting: host.slots.waiting + host.forPlace.size,
      }))
      .sort((a, b) => b.calls - a.calls)
      .slice(0, maxFullHosts);
  }

  ended(executionId: string): void {
    this.#waiting.forget(executionId);
  }

  keepOnly(isOurs: (executionId: string) => boolean): void {
    this.#waiting.keepOnly(isOurs);
  }

  /** Circuits that have opened since the process began, latest last. */
  circuits(): readonly CircuitView[] {
    const views = new Map<string, CircuitView>();
    for (const host of this.#tripped.values()) {
      const isOpen = host.circuit?.isOpen === true;
      const label = publicLabel(host);
      const known = views.get(label);
      // Of those that share a label: whether any is open, and when the first of them is tried again.
      if (known?.isOpen === true && !isOpen) continue;
      const waits = [known?.waitMillis, isOpen ? host.circuit?.waitMillis : undefined];
      const waitMillis = Math.min(...waits.filter((wait) => wait !== undefined));
      views.set(label, { host: label, isOpen, ...(Number.isFinite(waitMillis) ? { waitMillis } : undefined) });
    }
    return [...views.values()];
  }

  enter(call: GatedCall): Entry {
    const host = call.url === undefined ? undefined : this.#hostOf(call.url, call.hostFromData === true);
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
          // Much may have happened while it waited.
          const late = this.#turnAway(call, host);
          if (late !== undefined) this.#free(host);
          then(late ?? this.#admit(call, host));
        }),
    };
  }

  /** Takes a place, unless each free one is for a call that was called before. */
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
    const hold = this.#holds.find((each) => isHeld(each, call, host?.origin) && stands(each, now));
    if (hold !== undefined) {
      const line = this.#holdLine(hold.id);
      const look = this.#lookAgain(call, now, { first: 2_000, longest: 30_000 });
      const until = hold.until === undefined ? look : Math.min(look, hold.until + this.#upTo(500));
      return this.#block(call, line, { cause: 'hold', until, detail: heldText(hold), ...shownOf(host) });
    }
    if (host?.circuit === undefined) return undefined;
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

  /** Whether a call that begins to wait gets its place in a moment, if places go on to become free as they did lately. */
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

  /** The place is taken. */
  #admit(call: GatedCall, host: Host): Pass {
    this.#letThrough(call);
    // It came by itself: others may wait for what is free, and have not been called.
    if (host.forPlace.size > 0 && !host.slots.isFull) this.#waiting.release(host.forPlace, 1);
    const report = call.placeOnly === true ? undefined : host.circuit?.begin();
    return {
      kind: 'open',
      done: (outcome) => {
        report?.(outcome);
        this.#free(host);
      },
    };
  }

  #letThrough(call: GatedCall): void {
    if (call.blockedSince !== undefined) this.#waiting.remove(call);
  }

  #free(host: Host): void {
    const now = this.#parts.clock.monotonic();
    const silence = now - host.awaitedSince;
    // While places are free nobody awaits one, so that a long time says nothing.
    if (host.slots.isFull || silence < host.paceMillis) {
      host.paceMillis = Number.isFinite(host.paceMillis) ? 0.9 * host.paceMillis + 0.1 * silence : silence;
    }
    host.awaitedSince = now;
    const isIdle = host.slots.free();
    if (host.forPlace.size === 0) return;
    // Where the next place is free soon, and nobody waits in hand for it, a second one is called, so that places do not wait for loads.
    this.#waiting.release(host.forPlace, isIdle && silence < soonMillis ? 2 : 1);
  }

  #holdLine(id: string): WaitingLine {
    const known = this.#byHold.get(id);
    if (known !== undefined) return known;
    const line = new WaitingLine('hold');
    this.#byHold.set(id, line);
    return line;
  }

  /**
   * Half as long again as it has waited by now, within bounds, not at the same instant as all others, and not more often than a crowd
   * may.
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

  #hostOf(url: string, isFromData: boolean): Host | undefined {
    const authority = authorityOf(url);
    if (authority.length > maxAuthorityLength) return undefined;
    const known = this.#byAuthority.get(authority);
    if (known !== undefined) {
      if (!isFromData) known.isFromData = false;
      return known;
    }
    const origin = originOf(authority);
    if (origin === undefined) return undefined;
    if (this.#byAuthority.size >= maxHosts) this.#forgetIdle();
    const host = this.#hosts.get(origin.text) ?? this.#newHost(origin);
    if (!isFromData) host.isFromData = false;
    // Where every host is busy or in trouble, the newest ones share the places of one rather than have an endless map.
    if (this.#byAuthority.size >= maxHosts) return (this.#overflow ??= this.#newHost(otherHosts));
    this.#hosts.set(origin.text, host);
    this.#byAuthority.set(authority, host);
    return host;
  }

  #newHost(origin: Origin): Host {
    const { clock, circuits, overrides, maxConcurrency, mask } = this.#parts;
    const limit = overrides[origin.hostPort] ?? overrides[origin.host] ?? maxConcurrency;
    const host: Host = {
      origin,
      label: mask(origin.text),
      shownHost: mask(shownHostOf(origin)),
      isFromData: origin !== otherHosts,
      slots: new HostSlots(clock, limit, this.#lobby),
      forPlace: new WaitingLine('slots'),
      forCircuit: new WaitingLine('circuit'),
      awaitedSince: -Infinity,
      paceMillis: Infinity,
      circuit:
        circuits && origin !== otherHosts
          ? new Circuit(clock, circuits, (change, openMillis) => {
              this.#circuitChanged(host, change, openMillis);
            })
          : undefined,
    };
    return host;
  }

  /** Forgets hosts that are idle and healthy; where there are none, those known longest whose trouble may be over, too. */
  #forgetIdle(): void {
    let left = maxHosts / 10;
    const forget = (isOver: (circuit: Circuit | undefined) => boolean): void => {
      for (const [authority, { slots, circuit, origin, forPlace, forCircuit }] of this.#byAuthority) {
        if (left === 0) return;
        if (slots.taken + forPlace.size + forCircuit.size > 0 || !isOver(circuit)) continue;
        this.#byAuthority.delete(authority);
        this.#hosts.delete(origin.text);
        left--;
      }
    };
    forget((circuit) => circuit?.isFresh !== false);
    if (left === maxHosts / 10) forget((circuit) => circuit?.waitMillis === 0);
  }

  #circuitChanged(host: Host, change: 'opened' | 'closed', openMillis: number): void {
    const { telemetry } = this.#parts;
    const { text } = host.origin;
    if (change === 'closed') {
      telemetry.log('info', 'circuit closed', { host: publicLabel(host) });
      this.#waiting.release(host.forCircuit);
      return;
    }
    telemetry.log('warn', 'circuit opened', { host: publicLabel(host), openMillis });
    this.#tripped.delete(text);
    this.#tripped.set(text, host);
    const [oldest] = this.#tripped.keys();
    if (this.#tripped.size > maxCircuitViews && oldest !== undefined) this.#tripped.delete(oldest);
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

function shownHostOf({ text, host, hostPort }: Origin): string {
  return text === `http://${host}:80` || text === `https://${host}:443` ? host : hostPort;
}

/** What a call that waits for the hold is told: why, and who placed it where that is known. */
function heldText({ reason, actor }: CallHold): string {
  return actor === undefined ? `held: ${reason}` : `held by ${actor}: ${reason}`;
}

function shownOf(host: Host | undefined): { readonly host: string } | undefined {
  return host === undefined ? undefined : { host: host.shownHost };
}
