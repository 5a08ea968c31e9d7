import { networkInterfaces } from 'node:os';
import type { Destination } from './destination.ts';
import { type AddressBytes, type Network, networkContains, parseAddress, parseNetwork } from './ip-address.ts';

/** The routes of the own listeners that calls may reach: `callbacks` (each requires a token) or `all`. */
export type OwnRoutes = 'callbacks' | 'all';

/** The path of a callback, after the path of the base URL. */
const callbackPath = /\/(?:workflows|sagas)\/[^/]+\/node\/[^/]+\/callback(?:\/[^/]+)?$/;

const loopbackNetworks: readonly Network[] = ['127.0.0.0/8', '::1/128'].flatMap((text) => parseNetwork(text) ?? []);

interface Listener {
  /** Undefined: every address of this machine. */
  readonly address: AddressBytes | undefined;
  readonly port: number;
}

/**
 * The listeners of this process, which calls must not reach. Otherwise a definition could call the engine's own API with
 * the rights of a local caller.
 *
 * Compares the addresses of actual connections. Other processes of the same installation, and this one behind a load
 * balancer, have other addresses: those belong into `http.egress.deny`.
 *
 * Listeners are added once they listen; until then there are none.
 */
export class OwnListeners {
  readonly #listeners: Listener[] = [];
  readonly #allowed: ReadonlySet<OwnRoutes>;
  /** Host (without brackets) and port of the base URL of callbacks, and the path before the routes. */
  readonly #base: { readonly host: string; readonly port: number; readonly path: string } | undefined;

  /** `callbackBase` is the configured URL under which other hosts reach the callback routes. */
  constructor(allowed: readonly OwnRoutes[], callbackBase?: string) {
    this.#allowed = new Set(allowed);
    const url = callbackBase === undefined ? null : URL.parse(callbackBase);
    this.#base =
      url === null ? undefined : { host: bareHost(url), port: portOf(url), path: url.pathname.replace(/\/+$/, '') };
  }

  /** Adds a listener by the address that it is bound to. */
  add(address: string, port: number): void {
    const bytes = parseAddress(address);
    this.#listeners.push({ address: bytes?.some((byte) => byte !== 0) === true ? bytes : undefined, port });
  }

  /** Whether a URL may be that of an allowed callback, as far as the URL alone can tell. */
  mayBeCallback({ origin, path }: Destination): boolean {
    if (!this.#allowed.has('callbacks')) return false;
    const query = path.indexOf('?');
    const pathname = query < 0 ? path : path.slice(0, query);
    const match = callbackPath.exec(pathname);
    if (match === null) return false;
    const { port } = origin;
    if (this.#listeners.some((listener) => listener.port === port) && match.index === 0) return true;
    return this.#isBase(bareHost(origin), port) && pathname.slice(0, match.index) === this.#base?.path;
  }

  /**
   * Whether an address, in any form that it may represent, and a port (undefined: any) are those of an own listener.
   */
  has(faces: readonly AddressBytes[], port: number | undefined): boolean {
    return this.#listeners.some(
      (listener) =>
        (port === undefined || listener.port === port) &&
        (listener.address === undefined ? isLocal(faces) : isOneOf(listener.address, faces)),
    );
  }

  /** Whether calls may reach every route of the own listeners. */
  get allowsAll(): boolean {
    return this.#allowed.has('all');
  }

  /** Whether a connection for a callback leads to a listener where callbacks are allowed; `port` as in `has`. */
  allowsCallbackTo(host: string, faces: readonly AddressBytes[], port: number | undefined): boolean {
    return this.#allowed.has('callbacks') && (this.has(faces, port) || this.#isBase(host, port));
  }

  #isBase(host: string, port: number | undefined): boolean {
    return this.#base?.host === host && (port === undefined || this.#base.port === port);
  }
}

/** The host as the egress policy compares it. */
function bareHost({ hostname }: Pick<URL, 'hostname'>): string {
  return hostname.replace(/^\[|\]$|\.+$/g, '');
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function isOneOf(address: AddressBytes, faces: readonly AddressBytes[]): boolean {
  return faces.some((face) => isUnspecified(face) || sameBytes(face, address));
}

/** Whether an address leads to this machine. Called only for connections to a port on which this process listens. */
function isLocal(faces: readonly AddressBytes[]): boolean {
  if (faces.some((face) => isUnspecified(face) || loopbackNetworks.some((network) => networkContains(network, face)))) {
    return true;
  }
  // Addresses come and go while a process lives.
  const own = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
  return own.some((info) => {
    const address = parseAddress(info.address);
    return address !== undefined && faces.some((face) => sameBytes(face, address));
  });
}

/** Connections to 0.0.0.0 and :: lead to this machine. */
function isUnspecified(address: AddressBytes): boolean {
  return address.every((byte) => byte === 0);
}

function sameBytes(a: AddressBytes, b: AddressBytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
