/**
 * Opens connections under the egress policy. Names are resolved here and only permitted addresses are tried, so a
 * refused address never sees a packet; literal addresses never reach a resolver and are judged before connecting; and
 * the address really connected to is judged once more before the connection is used.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { buildConnector as connectorTypes } from 'undici';
import type { EgressPolicy } from './egress-policy.ts';
import { buildConnector } from './undici-parts.ts';

/** Resolves a name to all its addresses. */
export type ResolveHost = (
  hostname: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** PEM texts for outbound TLS. */
export interface OutboundTls {
  /** Trusted besides the system's authorities. */
  readonly ca?: string;
  /** Client certificate; needs `key`. */
  readonly cert?: string;
  readonly key?: string;
}

/** What a connector needs to know. */
export interface ConnectorOptions {
  readonly policy: EgressPolicy;
  /** Whether it serves calls whose authority comes from data. */
  readonly fromData: boolean;
  readonly connectTimeoutMillis: number;
  readonly tls?: OutboundTls;
  /** Default: the system's resolver, which knows /etc/hosts. */
  readonly resolve?: ResolveHost;
}

/** The policy refused a connection. */
export class EgressRefusedError extends Error {
  override readonly name = 'EgressRefusedError';
  /** Not one of undici's codes, some of which make it connect again. */
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

/** A `connect` function for an undici agent. Refusals end the connection with {@link EgressRefusedError}. */
export function createConnector(options: ConnectorOptions): connectorTypes.connector {
  const { policy, fromData } = options;
  const connect = buildConnector({
    ...tlsOptions(options.tls),
    // HTTP/2 may send a request again by itself after GOAWAY; the engine alone owns attempts.
    allowH2: false,
    timeout: options.connectTimeoutMillis,
    lookup: permittedLookup(policy, fromData, options.resolve ?? resolveBySystem),
  });
  return (target, done) => {
    const host = target.hostname;
    if (isIP(host) !== 0) {
      const decision = policy.decide({ host, address: host, fromData });
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
      const refusal = refusalOf(policy, host, socket, fromData);
      if (refusal === undefined) {
        done(null, socket);
        return;
      }
      socket.destroy();
      done(refusal, null);
    });
  };
}

function refusalOf(policy: EgressPolicy, host: string, socket: Socket, fromData: boolean): Error | undefined {
  const address = socket.remoteAddress;
  // Gone since it connected: using it would fail in any case, and here nothing has been written yet.
  if (address === undefined) return new Error('The connection was closed as soon as it was open.');
  const decision = policy.decide({ host, address, fromData });
  return decision.allowed ? undefined : new EgressRefusedError(decision.reason);
}

/** Resolves a name to its permitted addresses; fails with the first refusal when none is. */
function permittedLookup(policy: EgressPolicy, fromData: boolean, resolve: ResolveHost): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, (error, addresses) => {
      if (error !== null) {
        done(error, []);
        return;
      }
      let refusal: string | undefined;
      const permitted = addresses.filter(({ address }) => {
        const decision = policy.decide({ host: hostname, address, fromData });
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
