import type { Clock } from '../../../ports/clock.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { dataHostLabel } from '../host-label.ts';
import { Circuit, type CircuitSettings } from './circuit.ts';
import { HostSlots, Lobby } from './host-slots.ts';
import { authorityOf, type Origin, originOf } from './origin.ts';
import { WaitingLine } from './waiting-line.ts';

/** What the hosts of a gate need. */
export interface HostsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
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
  /** Calls under way: as many as the host may have. */
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

/** One host: its places, its circuit, and the calls that wait for them. */
export interface Host {
  readonly origin: Origin;
  /** The name for readers of the execution: `http://host:80`, masked. */
  readonly label: string;
  /** The name in a sentence: without the scheme, and without a port that is usual for it. */
  readonly shownHost: string;
  /** True while no definition names the host itself, as far as this process has seen: logs, metrics and `/cluster` do not name it then. */
  isFromData: boolean;
  readonly slots: HostSlots;
  readonly circuit: Circuit | undefined;
  /** Calls that are parked until a place is free. */
  readonly forPlace: WaitingLine;
  /** Calls that are parked until the circuit closes. */
  readonly forCircuit: WaitingLine;
  /** Since when calls await the next free place: the last one became free then, or was taken; monotonic. */
  awaitedSince: number;
  /** The mean time for which calls awaited a free place lately. */
  paceMillis: number;
}

/** Hosts known at once; beyond it the gate forgets those that are idle and healthy. */
const maxHosts = 1_000;
const maxCircuitViews = 200;
/** As long as a name in DNS may be, with its scheme and port. Anything longer leads nowhere, and may be as long as a request. */
const maxAuthorityLength = 270;
/** Full hosts listed at most: those with the most calls. */
const maxFullHosts = 20;

const otherHosts: Origin = { text: 'other hosts', host: 'other hosts', hostPort: 'other hosts' };

/**
 * The hosts that a gate knows, at most 1,000. Where all of them are busy or in trouble, newer hosts share the places of one.
 * Each host has its limit, its circuit, and lines of waiting calls.
 */
export class Hosts {
  readonly #parts: HostsParts;
  readonly #circuitClosed: (host: Host) => void;
  readonly #lobby: Lobby;
  /** By scheme and authority as URLs have them. */
  readonly #byAuthority = new Map<string, Host>();
  readonly #byOrigin = new Map<string, Host>();
  /** Hosts whose circuit has opened once, latest last. */
  readonly #tripped = new Map<string, Host>();
  /** Stands for the hosts beyond {@link maxHosts}. */
  #overflow: Host | undefined;

  /** `circuitClosed` must not throw. */
  constructor(parts: HostsParts, circuitClosed: (host: Host) => void) {
    this.#parts = parts;
    this.#circuitClosed = circuitClosed;
    this.#lobby = new Lobby(Math.floor(parts.workerCount / 4));
  }

  /** Hosts whose places are all taken, those with the most calls first, at most 20. */
  full(): readonly FullHost[] {
    const full = [...this.#byOrigin.values(), ...(this.#overflow === undefined ? [] : [this.#overflow])].filter(
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

  /** Circuits that have opened since the process began, latest last. */
  circuits(): readonly CircuitView[] {
    const views = new Map<string, CircuitView>();
    for (const host of this.#tripped.values()) {
      const isOpen = host.circuit?.isOpen === true;
      const label = publicLabel(host);
      const known = views.get(label);
      // Hosts with the same label show whether any of them is open, and when the first of them probes.
      if (known?.isOpen === true && !isOpen) continue;
      const waits = [known?.waitMillis, isOpen ? host.circuit?.waitMillis : undefined];
      const waitMillis = Math.min(...waits.filter((wait) => wait !== undefined));
      views.set(label, { host: label, isOpen, ...(Number.isFinite(waitMillis) ? { waitMillis } : undefined) });
    }
    return [...views.values()];
  }

  /** The host of a URL; undefined when the URL leads nowhere. */
  of(url: string, isFromData: boolean): Host | undefined {
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
    const host = this.#byOrigin.get(origin.text) ?? this.#create(origin);
    if (!isFromData) host.isFromData = false;
    if (this.#byAuthority.size >= maxHosts) return (this.#overflow ??= this.#create(otherHosts));
    this.#byOrigin.set(origin.text, host);
    this.#byAuthority.set(authority, host);
    return host;
  }

  #create(origin: Origin): Host {
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

  /** Forgets hosts that are idle and healthy; where there are none, idle ones whose circuit may probe, oldest first. */
  #forgetIdle(): void {
    let left = maxHosts / 10;
    const forget = (isOver: (circuit: Circuit | undefined) => boolean): void => {
      for (const [authority, { slots, circuit, origin, forPlace, forCircuit }] of this.#byAuthority) {
        if (left === 0) return;
        if (slots.taken + forPlace.size + forCircuit.size > 0 || !isOver(circuit)) continue;
        this.#byAuthority.delete(authority);
        this.#byOrigin.delete(origin.text);
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
      this.#circuitClosed(host);
      return;
    }
    telemetry.log('warn', 'circuit opened', { host: publicLabel(host), openMillis });
    this.#tripped.delete(text);
    this.#tripped.set(text, host);
    const [oldest] = this.#tripped.keys();
    if (this.#tripped.size > maxCircuitViews && oldest !== undefined) this.#tripped.delete(oldest);
  }
}

/** The name for everybody. */
function publicLabel({ isFromData, label }: Host): string {
  return isFromData ? dataHostLabel : label;
}

function shownHostOf({ text, host, hostPort }: Origin): string {
  return text === `http://${host}:80` || text === `https://${host}:443` ? host : hostPort;
}
