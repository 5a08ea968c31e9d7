/**
 * Opens connections under the egress policy. The connector resolves names itself and tries only permitted addresses, so
 * a refused address never sees a packet. It judges literal addresses before it connects, without a resolver, and judges
 * the address of every established connection once more before its use.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { buildConnector as connectorTypes } from 'undici';
import { failResets } from './cut-off-answers.ts';
import type { EgressDecision, EgressPolicy, EgressTarget } from './egress-policy.ts';
import { skipInterimAnswers } from './interim-answers.ts';
import { buildConnector } from './undici-parts.ts';

/** Resolves a name to all its addresses. */
export type ResolveHost = (
  hostname: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** PEM texts for outbound TLS. */
export interface OutboundTls {
  /** Trusted in addition to the system's authorities. */
  readonly ca?: string;
  /** Client certificate; needs `key`. */
  readonly cert?: string;
  readonly key?: string;
}

/** What a connector needs. */
export interface ConnectorOptions {
  readonly policy: EgressPolicy;
  /** Whether the connections are for calls whose authority comes from data. */
  readonly fromData: boolean;
  /** Whether the connections are for requests that may be callbacks to this installation, and for no others. */
  readonly forCallbacks: boolean;
  readonly connectTimeoutMillis: number;
  readonly tls?: OutboundTls;
  /** Default: the system's resolver, which knows /etc/hosts. */
  readonly resolve?: ResolveHost;
}

/** The policy refused a connection. */
export class EgressRefusedError extends Error {
  override readonly name = 'EgressRefusedError';
  /** Differs from undici's codes, some of which make it connect again. */
  readonly code = 'TRAMA_EGRESS_REFUSED';
}

const resolveBySystem: ResolveHost = (hostname, done) => {
  systemLookup(hostname, { all: true }, done);
};

/** The TLS options that undici takes, from PEM texts. */
export function tlsOptions(tls: OutboundTls | undefined): { ca?: string[]; cert?: string; key?: string } {
  if (tls === undefined) return {};
  return {
    ...(tls.ca === undefined ? {} : { ca: [...getCACertificates('default'), tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

/** Creates the `connect` function of an undici agent. A refusal ends the connection with {@link EgressRefusedError}. */
export function createConnector(options: ConnectorOptions): connectorTypes.connector {
  const { policy, fromData, forCallbacks } = options;
  const judge: Judge = (place) => policy.decide({ ...place, fromData, forCallbacks });
  const connect = buildConnector({
    ...tlsOptions(options.tls),
    // HTTP/2 may repeat a request by itself after GOAWAY; only the engine may repeat attempts.
    allowH2: false,
    timeout: options.connectTimeoutMillis,
    lookup: permittedLookup(judge, options.resolve ?? resolveBySystem),
  });
  return (target, done) => {
    const host = target.hostname;
    if (isIP(host) !== 0) {
      const decision = judge({ host, address: host, port: portOf(target) });
      if (!decision.allowed) {
        done(new EgressRefusedError(decision.reason), null);
        return;
      }
    }
    connect(target, (error, socket) => {
      if (error !== null) {
        done(error, null);
        return;
      }
      const refusal = refusalOf(judge, host, socket);
      if (refusal === undefined) {
        correctReading(socket);
        done(null, socket);
        return;
      }
      socket.destroy();
      done(refusal, null);
    });
  };
}

/** Corrects how undici reads the answers of a connection. */
function correctReading(socket: Socket): void {
  skipInterimAnswers(socket);
  failResets(socket);
}

/**
 * Creates the `connect` function of a proxy agent; its connections (to the proxy, or through tunnels) read answers like
 * all others.
 */
export function readCorrectly(connect: connectorTypes.connector): connectorTypes.connector {
  return (target, done) => {
    connect(target, (error, socket) => {
      if (error !== null) {
        done(error, null);
        return;
      }
      correctReading(socket);
      done(null, socket);
    });
  };
}

/** The policy, for one kind of connections. */
type Judge = (place: Pick<EgressTarget, 'host' | 'address' | 'port'>) => EgressDecision;

function portOf({ port, protocol }: connectorTypes.Options): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function refusalOf(judge: Judge, host: string, socket: Socket): Error | undefined {
  const { remoteAddress: address, remotePort: port } = socket;
  // The peer has left since: a use would fail anyway, and here nothing has been written yet.
  if (address === undefined || port === undefined)
    return new Error('The connection was closed as soon as it was open.');
  const decision = judge({ host, address, port });
  return decision.allowed ? undefined : new EgressRefusedError(decision.reason);
}

/** Resolves a name to its permitted addresses; fails with the first refusal when there is none. */
function permittedLookup(judge: Judge, resolve: ResolveHost): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, (error, addresses) => {
      if (error !== null) {
        done(error, []);
        return;
      }
      let refusal: string | undefined;
      const permitted = addresses.filter(({ address }) => {
        // The port is unknown here; the check of the established connection covers it.
        const decision = judge({ host: hostname, address });
        if (!decision.allowed) refusal ??= decision.reason;
        return decision.allowed;
      });
      const first = permitted[0];
      if (first === undefined) {
        done(refusal === undefined ? new Error(`${hostname} has no address.`) : new EgressRefusedError(refusal), []);
      } else if (options.all === true) {
        done(null, permitted);
      } else {
        done(null, first.address, first.family);
      }
    });
  };
}
