import type { Clock } from '../../../ports/clock.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { dataHostLabel } from '../host-label.ts';
import { Circuit, type CircuitSettings } from './circuit.ts';
import { HostSlots, Lobby } from './host-slots.ts';
import { authorityOf, type Origin, originOf } from './origin.ts';
import { WaitingLine } from './waiting-line.ts';

/** The dependencies and limits of {@link Hosts}. */
export interface HostsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Masks the names of hosts, which may contain secrets. */
  readonly mask: (text: string) => string;
  /** Absent: no circuit ever opens. */
  readonly circuits?: CircuitSettings;
  /** Maximum number of concurrent calls to one scheme, host and port. */
  readonly maxConcurrency: number;
  /** Other limits by `host:port` (which wins) or `host`. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Number of workers. Calls that wait in memory for slow hosts occupy at most a quarter of them, over all hosts. */
  readonly workerCount: number;
}

/** A host whose places are all taken. */
export interface FullHost {
  /** `http://host:80`, masked. */
  readonly host: string;
  /** Calls under way, which equals the limit of the host. */
  readonly calls: number;
  /** Calls that wait for a place, in memory or parked. */
  readonly waiting: number;
}

/** The circuit of a host, if it has opened at least once since the process started. */
export interface CircuitView {
  /** `http://host:80`, masked; all hosts that come from data share one name. */
  readonly host: string;
  readonly isOpen: boolean;
  /** Milliseconds until a call may probe; absent while a probe is under way or the circuit is closed. */
  readonly waitMillis?: number;
}

/** One host: its places, its circuit, and the calls that wait for them. */
export interface Host {
  readonly origin: Origin;
  /** The name for readers of the execution: `http://host:80`, masked. */
  readonly label: string;
  /** The name in a sentence: without the scheme. */
  readonly shownHost: string;
  /** True until this process has seen a definition that names the host. Logs, metrics and `/cluster` must not name it before. */
  isFromData: boolean;
  readonly slots: HostSlots;
  readonly circuit: Circuit | undefined;
  /** Calls that are parked until a place is free. */
  readonly forPlace: WaitingLine;
  /** Calls that are parked until the circuit closes. */
  readonly forCircuit: WaitingLine;
  /** Since when calls wait for the next place: the last change of the places; monotonic. */
  awaitedSince: number;
  /** Moving average of the time between freed places, in ms. */
  paceMillis: number;
}

/** Maximum number of known hosts; beyond it the gate forgets idle and healthy ones. */
const maxHosts = 1_000;
const maxCircuitViews = 200;
/** Maximum length of a DNS name with scheme and port. A longer authority cannot resolve, and may be as long as a request. */
const maxAuthorityLength = 270;
/** Maximum number of full hosts in the list: those with the most calls. */
const maxFullHosts = 20;

const otherHosts: Origin = { text: 'other hosts', host: 'other hosts', hostPort: 'other hosts' };

/**
 * The hosts that a gate knows, at most 1,000. If all of them are busy or failing, further hosts share one entry and its
 * places. Each host has its limit, its circuit, and its lines of waiting calls.
 */
export class Hosts {
  readonly #parts: HostsParts;
  readonly #circuitClosed: (host: Host) => void;
  readonly #lobby: Lobby;
  /** Hosts by scheme and authority as written in URLs. */
  readonly #byAuthority = new Map<string, Host>();
  readonly #byOrigin = new Map<string, Host>();
  /** Hosts whose circuit has opened at least once, latest last. */
  readonly #tripped = new Map<string, Host>();
  /** The shared entry of the hosts beyond {@link maxHosts}. */
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

  /** Circuits that have opened since the process started, latest last. */
  circuits(): readonly CircuitView[] {
    const views = new Map<string, CircuitView>();
    for (const host of this.#tripped.values()) {
      const isOpen = host.circuit?.isOpen === true;
      const label = publicLabel(host);
      const known = views.get(label);
      // Of the hosts with the same label, an open circuit is shown if there is one, with the earliest probe.
      if (known?.isOpen === true && !isOpen) continue;
      const waits = [known?.waitMillis, isOpen ? host.circuit?.waitMillis : undefined];
      const waitMillis = Math.min(...waits.filter((wait) => wait !== undefined));
      views.set(label, { host: label, isOpen, ...(Number.isFinite(waitMillis) ? { waitMillis } : undefined) });
    }
    return [...views.values()];
  }

  /** The host of a URL; undefined if the URL has no valid origin. */
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
      shownHost: mask(origin.hostPort),
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

  /** Forgets idle and healthy hosts; if there are none, the oldest idle ones whose circuit may probe. */
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

/** The name for logs, metrics and `/cluster`. */
function publicLabel({ isFromData, label }: Host): string {
  return isFromData ? dataHostLabel : label;
}
