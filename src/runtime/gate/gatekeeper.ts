/**
 * The gate of one process: holds first, then the circuit of the host, then a free place at it.
 *
 * A call that is turned away gets a time at which to try again, the later the longer it has waited, so that a thousand
 * executions behind a hold for a day cost little; what ends its waiting earlier tells it at once (see `waiting-list.ts`).
 */
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { dataHostLabel } from '../host-label.ts';
import { Periodic } from '../periodic.ts';
import type { Pulse } from '../service.ts';
import type { Block, CallGate, GatedCall, Pass, Queued } from './call-gate.ts';
import { type CallHold, isHeld, readHolds, stands } from './call-holds.ts';
import { Circuit, type CircuitSettings } from './circuit.ts';
import { HostSlots } from './host-slots.ts';
import { authorityOf, type Origin, originOf } from './origin.ts';
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
  /** What those read who may read the execution. */
  readonly label: string;
  /** Whether no definition names it by itself, as far as this process has seen: logs, metrics and `/cluster` do not name it then. */
  isFromData: boolean;
  readonly slots: HostSlots;
  readonly circuit: Circuit | undefined;
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

/** See the file header. */
export class Gatekeeper implements CallGate {
  readonly #parts: GatekeeperParts;
  readonly #reading: Periodic;
  readonly #waiting: WaitingList;
  /** By scheme and authority as URLs have them. */
  readonly #byAuthority = new Map<string, Host>();
  readonly #hosts = new Map<string, Host>();
  /** Those whose circuit has opened once. */
  readonly #tripped = new Map<string, Host>();
  /** Undefined until they have been read for the first time: no call may slip through before that. */
  #holds: readonly CallHold[] | undefined;
  #firstRead: () => void = () => undefined;

  constructor(parts: GatekeeperParts) {
    this.#parts = parts;
    this.#waiting = new WaitingList(parts.clock);
    this.#reading = new Periodic('holds', parts, readMillis, () => this.#readHolds());
  }

  get pulse(): Pulse {
    return this.#reading.pulse;
  }

  start(retry: (executionId: string) => void): Promise<void> {
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

  /** Executions that wait blocked, by what for, as far as this process has seen them; those on their way count until they go. */
  get blocked(): Readonly<Record<'hold' | 'circuit' | 'slots', number>> {
    return {
      hold: this.#waiting.countOf('hold:') + this.#waiting.count('unread'),
      circuit: this.#waiting.countOf('circuit:'),
      slots: this.#waiting.countOf('slots:'),
    };
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

  enter(call: GatedCall): Pass | Block | Queued {
    const host = call.url === undefined ? undefined : this.#hostOf(call.url, call.hostFromData === true);
    const turnedAway = this.#turnAway(call, host);
    if (turnedAway !== undefined) return turnedAway;
    if (host === undefined) return { kind: 'open', done: () => undefined };
    if (host.slots.tryTake()) return this.#admit(host);
    if (!host.slots.hasRoom) return this.#noPlace(call, host);
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
          then(late ?? this.#admit(host));
        }),
    };
  }

  #turnAway(call: GatedCall, host: Host | undefined): Block | undefined {
    const now = this.#parts.clock.now();
    if (this.#holds === undefined) {
      const until = now + unreadMillis;
      return this.#block(call, 'unread', { cause: 'hold', until, detail: 'held: until the holds have been read' });
    }
    const hold = this.#holds.find((each) => isHeld(each, call, host?.origin) && stands(each, now));
    if (hold !== undefined) {
      const reason = `hold:${hold.id}`;
      const look = this.#lookAgain(call, now, { first: 2_000, longest: 30_000 });
      const until = hold.until === undefined ? look : Math.min(look, hold.until + this.#upTo(500));
      return this.#block(call, reason, { cause: 'hold', until, detail: `held: ${hold.reason}` });
    }
    if (host?.circuit === undefined) return undefined;
    const wait = host.circuit.waitMillis;
    if (wait === 0) return undefined;
    const reason = `circuit:${host.origin.text}`;
    const until =
      wait === undefined
        ? this.#lookAgain(call, now, { first: 1_000, longest: 10_000 })
        : now + wait + this.#upTo(Math.min(5_000, 10 * this.#waiting.count(reason)));
    return this.#block(call, reason, { cause: 'circuit', until, detail: `circuit of ${host.label} open` });
  }

  #noPlace(call: GatedCall, host: Host): Block {
    const until = this.#lookAgain(call, this.#parts.clock.now(), { first: 500, longest: 5_000 });
    const detail = `no free place at ${host.label}: all ${String(host.slots.limit)} are taken`;
    return this.#block(call, `slots:${host.origin.text}`, { cause: 'slots', until, detail });
  }

  #block(call: GatedCall, reason: string, block: Omit<Block, 'kind'>): Block {
    this.#waiting.add(reason, call.executionId);
    return { kind: 'blocked', ...block };
  }

  /** The place is taken. */
  #admit(host: Host): Pass {
    const report = host.circuit?.begin();
    return {
      kind: 'open',
      done: (outcome) => {
        report?.(outcome);
        this.#free(host);
      },
    };
  }

  #free(host: Host): void {
    if (host.slots.free()) this.#waiting.release(`slots:${host.origin.text}`, 1);
  }

  /** Half as long again as it has waited by now, within bounds, and not at the same instant as all others. */
  #lookAgain(call: GatedCall, now: number, bounds: { readonly first: number; readonly longest: number }): number {
    const waited = now - (call.blockedSince ?? now);
    const wait = Math.min(Math.max(waited / 2, bounds.first), bounds.longest);
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
    // Where every host is busy or in trouble, the newest ones go ungated rather than into an endless map.
    if (this.#byAuthority.size < maxHosts) {
      this.#hosts.set(origin.text, host);
      this.#byAuthority.set(authority, host);
    }
    return host;
  }

  #newHost(origin: Origin): Host {
    const { clock, circuits, overrides, maxConcurrency, mask } = this.#parts;
    const label = mask(origin.text);
    const limit = overrides[origin.hostPort] ?? overrides[origin.host] ?? maxConcurrency;
    const host: Host = {
      origin,
      label,
      isFromData: true,
      slots: new HostSlots(clock, limit),
      circuit:
        circuits &&
        new Circuit(clock, circuits, (change, openMillis) => {
          this.#circuitChanged(host, change, openMillis);
        }),
    };
    return host;
  }

  /** Forgets hosts that are idle and healthy; where there are none, those known longest whose trouble may be over, too. */
  #forgetIdle(): void {
    let left = maxHosts / 10;
    const forget = (isOver: (circuit: Circuit | undefined) => boolean): void => {
      for (const [authority, { slots, circuit, origin }] of this.#byAuthority) {
        if (left === 0) return;
        if (slots.taken > 0 || !isOver(circuit)) continue;
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
      this.#waiting.release(`circuit:${text}`);
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
    this.#waiting.release('unread');
    for (const hold of before) {
      const same = holds.find(({ id }) => id === hold.id);
      if (same !== undefined && JSON.stringify(same) === JSON.stringify(hold)) continue;
      if (same === undefined) telemetry.log('info', 'hold lifted', { hold: hold.id });
      this.#waiting.release(`hold:${hold.id}`);
    }
    for (const { id, host, name, version } of holds) {
      if (before.some((known) => known.id === id)) continue;
      telemetry.log('warn', 'hold placed', { hold: id, host, name, version });
    }
  }
}
