import type { Dispatcher, buildConnector } from 'undici';
import { acceptedCodings } from '../content/codings.ts';
import type { CallAnswer, LastWord, CallHandle, HttpCaller, OutboundRequest } from '../ports/http-caller.ts';
import { createConnector, readCorrectly, tlsOptions } from './connector.ts';
import type { OutboundTls, ResolveHost } from './connector.ts';
import { Destinations } from './destination.ts';
import type { EgressPolicy } from './egress-policy.ts';
import type { OwnListeners } from './own-listeners.ts';
import { OutboundCall } from './outbound-call.ts';
import type { CallOwner } from './outbound-call.ts';
import { Agent, Pool, ProxyAgent } from './undici-parts.ts';

/** Settings of {@link UndiciCaller}. */
export interface UndiciCallerOptions {
  readonly policy: EgressPolicy;
  /** The listeners that the policy knows, where it knows any. */
  readonly own?: OwnListeners;
  /** `user-agent` of calls that set none, as in `trama/1.2.3`. */
  readonly userAgent: string;
  /** Time for a connection, TLS included; default 10 000. It may last up to a second longer. */
  readonly connectTimeoutMillis?: number;
  /** Bound of a decoded answer; default 1 MiB. */
  readonly maxResponseBytes?: number;
  /** Connections, and so calls at once, per origin; default 256. */
  readonly maxConcurrencyPerHost?: number;
  /** By `host` or `host:port` (which wins), in lower case. */
  readonly perHostOverrides?: Readonly<Record<string, number>>;
  readonly tls?: OutboundTls;
  /** `http:` or `https:` URL of a proxy, with user info if the proxy requires it. The policy then checks only names. */
  readonly proxy?: string;
  /** For tests: resolves names. */
  readonly resolve?: ResolveHost;
}

const kibibyte = 1024;

/**
 * The HTTP caller on undici: keep-alive connections, bounded per origin; HTTP/1.1 only; no retries, no redirects.
 *
 * Calls whose authority comes from data have connections of their own, because they must never use a connection that
 * their stricter rules would have refused. So do calls to the callback routes of this installation.
 *
 * Long-lived: create one and close it.
 */
export class UndiciCaller implements HttpCaller, CallOwner {
  readonly maxResponseBytes: number;
  readonly #policy: EgressPolicy;
  readonly #userAgent: string;
  readonly #behindProxy: boolean;
  readonly #own: OwnListeners | undefined;
  readonly #destinations = new Destinations();
  #options: UndiciCallerOptions;
  #dispatchers: Dispatchers;
  /** Connections with earlier certificates: calls under way end on them. */
  readonly #leaving = new Set<Dispatcher>();
  readonly #calls = new Set<OutboundCall>();
  #closed: Promise<void> | undefined;

  /** @throws TypeError when `proxy` is not a URL or `tls` holds no usable PEM texts. */
  constructor(options: UndiciCallerOptions) {
    this.maxResponseBytes = options.maxResponseBytes ?? kibibyte * kibibyte;
    this.#policy = options.policy;
    this.#userAgent = options.userAgent;
    this.#behindProxy = options.proxy !== undefined;
    this.#own = options.own;
    this.#options = options;
    this.#dispatchers = createDispatchers(options);
  }

  /**
   * Uses these PEM texts for calls that start from now on, on new connections; calls under way end on theirs.
   *
   * @throws TypeError when they are not usable; then nothing has changed.
   */
  renewTls(tls: OutboundTls): void {
    if (this.#closed !== undefined) return;
    const options = { ...this.#options, tls };
    const dispatchers = createDispatchers(options);
    const earlier = openOf(this.#dispatchers);
    this.#options = options;
    this.#dispatchers = dispatchers;
    for (const dispatcher of earlier) {
      this.#leaving.add(dispatcher);
      void dispatcher.close().finally(() => this.#leaving.delete(dispatcher));
    }
  }

  start(request: OutboundRequest, done: (answer: CallAnswer) => void, lastWord?: LastWord): CallHandle {
    const call = new OutboundCall(this, request, done, lastWord);
    if (this.#closed !== undefined) {
      call.abort();
      return call;
    }
    const destination = this.#destinations.of(request.url);
    if (typeof destination === 'string') {
      call.refuse(destination);
      return call;
    }
    const { origin, path } = destination;
    const forCallbacks = this.#own !== undefined && path.includes('/callback') && this.#own.mayBeCallback(destination);
    if (this.#behindProxy) {
      const { hostname: host, port } = origin;
      const decision = this.#policy.decide({ host, port, fromData: request.authorityFromData, forCallbacks });
      if (!decision.allowed) {
        call.refuse(decision.reason);
        return call;
      }
    }
    this.#calls.add(call);
    this.#dispatcher(request.authorityFromData, forCallbacks).dispatch(
      {
        origin: origin.text,
        path,
        method: request.verb,
        headers: this.#headers(request.headers),
        body: request.body ?? null,
        // The call's own deadline covers everything.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      call,
    );
    return call;
  }

  ended(call: OutboundCall): void {
    this.#calls.delete(call);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const call of this.#calls) call.abort();
    const open = [...openOf(this.#dispatchers), ...this.#leaving];
    await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
  }

  #dispatcher(fromData: boolean, forCallbacks: boolean): Dispatcher {
    const kind = fromData ? 'fromData' : 'fixed';
    if (!forCallbacks || this.#behindProxy) return this.#dispatchers[kind];
    return (this.#dispatchers.callbacks[kind] ??= createDispatcher(this.#options, fromData, true));
  }

  /** Names and values in turn. */
  #headers(given: Readonly<Record<string, string>>): string[] {
    const headers: string[] = [];
    let hasEncoding = false;
    let hasAgent = false;
    for (const name in given) {
      headers.push(name, given[name] as string);
      if (name.length === 15) hasEncoding ||= name.toLowerCase() === 'accept-encoding';
      else if (name.length === 10) hasAgent ||= name.toLowerCase() === 'user-agent';
    }
    if (!hasEncoding) headers.push('accept-encoding', acceptedCodings);
    if (!hasAgent) headers.push('user-agent', this.#userAgent);
    return headers;
  }
}

interface Dispatchers {
  readonly fixed: Dispatcher;
  readonly fromData: Dispatcher;
  /** Connections for calls to callback routes of this installation, which no other calls may use. */
  readonly callbacks: { fixed?: Dispatcher; fromData?: Dispatcher };
}

function createDispatchers(options: UndiciCallerOptions): Dispatchers {
  const fixed = createDispatcher(options, false);
  // Behind a proxy the rules of a connection do not depend on the call: the policy checks the name of each.
  return { fixed, fromData: options.proxy === undefined ? createDispatcher(options, true) : fixed, callbacks: {} };
}

function openOf({ fixed, fromData, callbacks }: Dispatchers): ReadonlySet<Dispatcher> {
  return new Set([fixed, fromData, ...Object.values(callbacks)]);
}

function createDispatcher(options: UndiciCallerOptions, fromData: boolean, forCallbacks: boolean = false): Dispatcher {
  const connectTimeoutMillis = options.connectTimeoutMillis ?? 10_000;
  const shared = {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (origin: string | URL, pool: object): Dispatcher =>
      new Pool(origin, { ...pool, allowH2: false, connections: connectionsTo(origin, options) }),
  };
  if (options.proxy !== undefined) {
    return new ProxyAgent({
      ...shared,
      allowH2: false,
      // undici creates both kinds of connections itself, and passes the functions that do so to this one.
      factory: (
        origin: string | URL,
        { connect, ...pool }: { readonly connect: buildConnector.connector },
      ): Dispatcher => shared.factory(origin, { ...pool, connect: readCorrectly(connect) }),
      uri: options.proxy,
      connectTimeout: connectTimeoutMillis,
      requestTls: tlsOptions(options.tls),
      // The client certificate is for downstreams; a proxy sees only the authorities.
      proxyTls: tlsOptions(options.tls?.ca === undefined ? undefined : { ca: options.tls.ca }),
    });
  }
  const { policy, tls, resolve } = options;
  return new Agent({
    ...shared,
    connect: createConnector({
      policy,
      fromData,
      forCallbacks,
      connectTimeoutMillis,
      ...(tls === undefined ? {} : { tls }),
      ...(resolve === undefined ? {} : { resolve }),
    }),
  });
}

function connectionsTo(origin: string | URL, options: UndiciCallerOptions): number {
  const { host, hostname } = new URL(origin);
  const overrides = options.perHostOverrides ?? {};
  return overrides[host] ?? overrides[hostname] ?? options.maxConcurrencyPerHost ?? 256;
}
