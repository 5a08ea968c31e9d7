import type { Dispatcher, buildConnector } from 'undici';
import { acceptedCodings } from '../content/codings.ts';
import type { CallAnswer, LastWord, CallHandle, HttpCaller, OutboundRequest } from '../ports/http-caller.ts';
import { createConnector, readCorrectly, tlsOptions } from './connector.ts';
import type { OutboundTls, ResolveHost } from './connector.ts';
import type { EgressPolicy } from './egress-policy.ts';
import type { OwnListeners } from './own-listeners.ts';
import { OutboundCall } from './outbound-call.ts';
import type { CallOwner } from './outbound-call.ts';
import { Agent, Pool, loadProxyAgent } from './undici-parts.ts';

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
    const url = parseUrl(request.url);
    if (typeof url === 'string') {
      call.refuse(url);
      return call;
    }
    const forCallbacks = this.#own !== undefined && request.url.includes('/callback') && this.#own.mayBeCallback(url);
    if (this.#behindProxy) {
      const decision = this.#policy.decide({
        host: url.hostname,
        port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
        fromData: request.authorityFromData,
        forCallbacks,
      });
      if (!decision.allowed) {
        call.refuse(decision.reason);
        return call;
      }
    }
    this.#calls.add(call);
    this.#dispatcher(request.authorityFromData, forCallbacks).dispatch(
      {
        origin: url.origin,
        path: url.search === '' ? url.pathname : url.pathname + url.search,
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

  #headers(given: Readonly<Record<string, string>>): Record<string, string> {
    const headers: Record<string, string> = { ...given };
    let hasEncoding = false;
    let hasAgent = false;
    for (const name in given) {
      if (name.length === 15) hasEncoding ||= name.toLowerCase() === 'accept-encoding';
      else if (name.length === 10) hasAgent ||= name.toLowerCase() === 'user-agent';
    }
    if (!hasEncoding) headers['accept-encoding'] = acceptedCodings;
    if (!hasAgent) headers['user-agent'] = this.#userAgent;
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

/** The URL, or a sentence on why no request can go to it. */
function parseUrl(text: string): URL | string {
  const url = URL.parse(text);
  if (url === null) return 'The URL is not valid.';
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `The URL's scheme ${url.protocol} is not http or https.`;
  if (url.username !== '' || url.password !== '') return 'The URL holds user information; use auth instead.';
  return url;
}

function createDispatcher(options: UndiciCallerOptions, fromData: boolean, forCallbacks: boolean = false): Dispatcher {
  const connectTimeoutMillis = options.connectTimeoutMillis ?? 10_000;
  const shared = {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    factory: (origin: string | URL, pool: object): Dispatcher =>
      new Pool(origin, { ...pool, connections: connectionsTo(origin, options) }),
  };
  if (options.proxy !== undefined) {
    const ProxyAgent = loadProxyAgent();
    return new ProxyAgent({
      ...shared,
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
