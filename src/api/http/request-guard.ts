import type { IncomingMessage } from 'node:http';

/** Which requests a server without authentication answers. */
export interface GuardPolicy {
  /** Names and addresses as in a URL, in any case, with or without a port (then with any port). */
  readonly allowedHosts: readonly string[];
  /** Whether to refuse requests through a proxy, because the server serves only its own machine. */
  readonly refusesProxies: boolean;
  /** Names the allowed hosts in messages: `the hosts of server.allowedHosts`. */
  readonly hostsShown: string;
}

/** Why a request is refused. */
export interface GuardRefusal {
  readonly reason: 'proxy' | 'host' | 'origin';
  /** A sentence for the caller. */
  readonly sentence: string;
}

/** The parts of a request that the guard inspects. */
export type GuardedRequest = Pick<IncomingMessage, 'headers' | 'httpVersion'>;

/** Headers that reveal proxies, load balancers and content delivery networks. */
const proxyHeaders: ReadonlySet<string> = new Set([
  'cdn-loop',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'proxy-connection',
  'true-client-ip',
  'via',
  'wl-proxy-client-ip',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-original-host',
  'x-original-url',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-rewrite-url',
]);
const proxyHeaderPrefix = /^(?:x-forwarded|x-envoy-|x-arr-|cf-)/;

/** An IPv4 address, or an IPv6 address in brackets. */
const literalAddress = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])$/;

/**
 * Guards a server without authentication against requests that reach it unintentionally. It refuses:
 *
 * - web pages whose name was made to resolve to this server (DNS rebinding), by that name in `Host`;
 * - web pages of another origin, including the same host with another port, by `Origin`, or by `Sec-Fetch-Site` if
 *   there is no `Origin`;
 * - proxies on this machine that forward remote requests, by their headers, or by HTTP/1.0, the version of proxies that
 *   add no headers.
 *
 * It cannot detect forwarders that add nothing and rewrite `Host`: a tunnel (ssh, `kubectl port-forward`), a TCP
 * forwarder, or a proxy configured to add no headers. It does not distinguish users of this machine.
 */
export class RequestGuard {
  readonly #hosts: ReadonlySet<string>;
  readonly #policy: GuardPolicy;
  /** The allowed `Host` seen last, which need not be looked up again: most requests come from few clients. */
  #lastHost: string | undefined;

  constructor(policy: GuardPolicy) {
    this.#policy = policy;
    this.#hosts = new Set(policy.allowedHosts.map((host) => host.toLowerCase()));
  }

  /**
   * Why the request is refused; undefined if it may pass. `byAddress`: also accepts any IP address as `Host`, which DNS
   * rebinding cannot produce.
   */
  refusalOf(request: GuardedRequest, byAddress: boolean = false): GuardRefusal | undefined {
    const { headers } = request;
    if (this.#policy.refusesProxies) {
      const sign = signOfProxy(request);
      if (sign !== undefined)
        return refuse('proxy', `it refuses what came through a proxy, as this request: it has ${sign}`);
    }
    const { host } = headers;
    if (host === undefined || (host !== this.#lastHost && !this.#knows(host.toLowerCase(), byAddress))) {
      return refuse(
        'host',
        `it answers only to ${this.#policy.hostsShown}, and the Host of this request is none of them`,
      );
    }
    if (!byAddress) this.#lastHost = host;
    return comesFromPage(headers, host)
      ? refuse('origin', 'it refuses requests of web pages of another host or port')
      : undefined;
  }

  #knows(host: string, byAddress: boolean): boolean {
    if (this.#hosts.has(host)) return true;
    const name = host.replace(/:\d{1,5}$/, '');
    return this.#hosts.has(name) || (byAddress && literalAddress.test(name));
  }
}

function refuse(reason: GuardRefusal['reason'], why: string): GuardRefusal {
  return { reason, sentence: `This server asks for no credentials; therefore ${why}.` };
}

function signOfProxy({ headers, httpVersion }: GuardedRequest): string | undefined {
  for (const name in headers) {
    // Compares whole names first, because every request passes here.
    const isLikely = name.startsWith('x-') || name.startsWith('cf-');
    if (proxyHeaders.has(name) || (isLikely && proxyHeaderPrefix.test(name))) return `the header ${name}`;
  }
  return httpVersion === '1.0' ? 'the version HTTP/1.0' : undefined;
}

/** Whether a page of another origin makes the request. Following a link from such a page is allowed. */
function comesFromPage(headers: IncomingMessage['headers'], host: string): boolean {
  const { origin } = headers;
  if (origin !== undefined) {
    const url = URL.parse(origin);
    return url === null || !/^https?:$/.test(url.protocol) || url.host !== URL.parse(`${url.protocol}//${host}`)?.host;
  }
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document';
}
